/*
 * The shell of some tests: tries what a command must not be able to do, and says
 * on its standard output what it could. argv[2] says what to try.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void could(const char *what, long result)
{
	if (result >= 0)
		printf("could %s\n", what);
}

static void regain(void)
{
	gid_t none[1] = {0};
	pid_t parent = getppid();
	char path[64], word[8] = {0};
	struct iovec local = {word, sizeof word}, remote = {(void *)0x1000, sizeof word};

	could("setuid", setuid(0));
	could("seteuid", seteuid(0));
	could("setreuid", setreuid(0, 0));
	could("setresuid", setresuid(0, 0, 0));
	could("setgid", setgid(0));
	could("setegid", setegid(0));
	could("setresgid", setresgid(0, 0, 0));
	could("setgroups", setgroups(1, none));
	setfsuid(0);
	if (setfsuid((uid_t)-1) == 0)
		puts("could setfsuid");
	could("signal the parent", kill(parent, 0));
	could("trace the parent", ptrace(PTRACE_ATTACH, parent, 0, 0));
	could("change the parent's limits", prlimit(parent, RLIMIT_CPU, &(struct rlimit){1, 1}, NULL));
	/* EFAULT would mean that the right to read was there. */
	could("read the parent's memory", process_vm_readv(parent, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT ? 0 : -1);
	for (const char *const *f = (const char *const[]){"mem", "environ", "maps", "fd/0", "auxv", NULL}; *f != NULL; f++) {
		snprintf(path, sizeof path, "/proc/%d/%s", parent, *f);
		could(path, open(path, O_RDONLY));
	}
}

/* Tries every thread of the parent's for as long as the input stays open. */
static void threads(void)
{
	char path[64];
	long tried = 0;

	snprintf(path, sizeof path, "/proc/%d/task", getppid());
	fcntl(0, F_SETFL, O_NONBLOCK);
	for (char byte; read(0, &byte, 1) < 0 && errno == EAGAIN;) {
		DIR *d = opendir(path);
		for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
			pid_t tid = atoi(e->d_name);
			if (tid == 0)
				continue;
			tried++;
			if (kill(tid, 0) == 0 || syscall(SYS_tgkill, getppid(), tid, 0) == 0)
				printf("could signal thread %d of the parent\n", tid);
		}
		if (d != NULL)
			closedir(d);
	}
	puts(tried > 0 ? "tried" : "tried nothing");
}

/* Installed setuid root: becomes root altogether, and waits for SIGUSR1. */
static void wait_as_root(void)
{
	sigset_t set;
	struct timespec soon = {2, 0};

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (setresuid(0, 0, 0) != 0) {
		puts("cannot become root");
		return;
	}
	puts("waiting");
	fflush(stdout);
	puts(sigtimedwait(&set, NULL, &soon) == SIGUSR1 ? "signalled" : "left alone");
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	setvbuf(stdout, NULL, _IOFBF, 65536);
	if (strcmp(what, "regain") == 0)
		regain();
	else if (strcmp(what, "threads") == 0)
		threads();
	else if (strcmp(what, "root") == 0)
		wait_as_root();
	puts("done");
	return 0;
}
