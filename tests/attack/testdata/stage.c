/* Calls the stage between fork and exec under the address and undefined-behaviour sanitizers. Linked with
 * pkg/session/start.c. Prints nothing when all is as expected. */
#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

static void expect(const char *name, struct start s, int stage, int error, const char *want)
{
	int primary[2], err[2];
	char got[256] = {0}, text[256] = {0};
	ssize_t n, m;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, primary) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, err) != 0)
		abort();
	if (s.primary == 0)
		s.primary = primary[0];
	s.err = err[0];
	int result = session_start(&s);
	close(primary[0]);
	close(err[0]);
	n = recv(primary[1], got, sizeof got, MSG_WAITALL);
	m = recv(err[1], text, sizeof text - 1, MSG_WAITALL);
	if (s.pid > 0)
		waitpid(s.pid, NULL, 0);
	if (result != (error ? -1 : 0) || s.stage != stage || s.error != error || n != (ssize_t)(stage == STAGE_SHELL ? 1 + strlen(want) : 0) ||
	    (n > 0 && (got[0] != 0 || memcmp(got + 1, want, (size_t)n - 1) != 0)) || m != 0) {
		printf("%s: result %d, stage %d, error %s, %zd bytes %.*s, stderr %s\n", name, result, s.stage, strerror(s.error), n, (int)(n > 1 ? n - 1 : 0), got + 1, text);
		failures++;
	}
	close(primary[1]);
	close(err[1]);
}

int main(void)
{
	static char *env[] = {"A=1", NULL}, *echo[] = {"sh", "-c", "echo $A; pwd; ls /proc/self/fd | wc -l", NULL};
	static char *none[] = {NULL};
	struct start s = {.shell = "/bin/sh", .home = "/", .argv = echo, .envp = env};

	/* Descriptors of a careless module, which the command must not have. */
	for (int i = 0; i < 200; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			abort();
	expect("works", s, STAGE_SHELL, 0, "1\n/\n4\n"); /* and ls's own */
	s.change_identity = 1;
	s.uid = s.gid = 65534;
	expect("as another", s, STAGE_SHELL, 0, "1\n/\n4\n");
	s.home = "/root";
	expect("home of another", s, STAGE_HOME, EACCES, "");
	s.home = "/nonexistent";
	expect("no home", s, STAGE_HOME, ENOENT, "");
	s.home = "/";
	s.shell = "/nonexistent";
	expect("no shell", s, STAGE_SHELL, ENOENT, "");
	s.shell = "/etc/passwd";
	expect("shell that is none", s, STAGE_SHELL, EACCES, "");
	s.shell = "/bin/true";
	s.argv = s.envp = none;
	expect("nothing in argv and envp", s, STAGE_SHELL, 0, "");
	s.primary = 4000;
	expect("no connection", s, STAGE_DESCRIPTORS, EBADF, "");
	s.primary = 0;
	char *huge = malloc(131072);
	memset(huge, 'x', 131071);
	huge[131071] = 0;
	char *argv[] = {"sh", "-c", huge, NULL};
	s.shell = "/bin/true";
	s.argv = argv;
	expect("the longest argument", s, STAGE_SHELL, 0, "");
	free(huge);
	return failures != 0;
}
