/*
 * Drives start.c by itself, for the compiler's sanitizers: what each outcome must
 * leave behind.
 */
#define _GNU_SOURCE
#include "../start.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int wrong;

static void check(int ok, const char *name, const char *what)
{
	if (!ok) {
		printf("%s: %s\n", name, what);
		wrong = 1;
	}
}

static void on_usr1(int sig) { (void)sig; }

static void try(const char *name, struct start s, int stage, int error, const char *output)
{
	char *argv[] = {"sh", "-c", "echo out; echo err >&2; exit 7", NULL}, *envp[] = {"A=b", NULL};
	char buf[4096] = {0};
	int primary[2], status = 0, result;
	size_t n = 0;
	sigset_t before, after;
	struct sigaction usr1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, primary) != 0)
		exit(2);
	s.argv = argv;
	s.envp = envp;
	if (s.in == 0)
		s.in = s.out = s.err = primary[1];
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigprocmask(SIG_SETMASK, &before, NULL);
	result = session_start(&s);
	sigprocmask(SIG_SETMASK, NULL, &after);
	sigaction(SIGUSR1, NULL, &usr1);
	close(primary[1]);
	check(result == (error != 0 ? -1 : 0), name, "result");
	check(s.stage == stage && s.error == error, name, "stage or error");
	check(sigismember(&after, SIGUSR2) == 1 && sigismember(&after, SIGTERM) == 0, name, "signal mask of the parent");
	check(usr1.sa_handler == on_usr1, name, "disposition of the parent");
	check(s.pid > 0 && s.pidfd > 2, name, "pid or pidfd");
	for (ssize_t got; n < sizeof buf - 1 && (got = read(primary[0], buf + n, sizeof buf - 1 - n)) > 0;)
		n += (size_t)got;
	check(n == strlen(output + 1) + 1 || (output[0] == '-' && n == 0), name, "length of what the peer got");
	check(output[0] == '-' || (buf[0] == 0 && strcmp(buf + 1, output + 1) == 0), name, "what the peer got");
	check(waitpid(s.pid, &status, 0) == s.pid && WIFEXITED(status), name, "exit of the child");
	check(WEXITSTATUS(status) == (error != 0 ? 127 : 7), name, "exit status of the child");
	close(primary[0]);
	close(s.pidfd);
}

int main(void)
{
	signal(SIGUSR1, on_usr1);
	signal(SIGPIPE, SIG_IGN);
	try("shell runs", (struct start){.shell = "/bin/sh", .home = "/"}, STAGE_SHELL, 0, "0out\nerr\n");
	try("shell is missing", (struct start){.shell = "/nonexistent", .home = "/"}, STAGE_SHELL, ENOENT, "0");
	try("home is missing", (struct start){.shell = "/bin/sh", .home = "/nonexistent"}, STAGE_HOME, ENOENT, "-");
	try("descriptor is closed", (struct start){.shell = "/bin/sh", .home = "/", .in = 999, .out = 999, .err = 999}, STAGE_DESCRIPTORS, EBADF, "-");
	try("nobody has that id", (struct start){.shell = "/bin/sh", .home = "/", .change_identity = 1, .uid = (uid_t)-1, .gid = (gid_t)-1}, STAGE_IDENTITY, EPERM, "-");
	for (int i = 0; i < 20; i++)
		try("again", (struct start){.shell = "/bin/sh", .home = "/"}, STAGE_SHELL, 0, "0out\nerr\n");
	if (!wrong)
		puts("ok");
	return wrong;
}
