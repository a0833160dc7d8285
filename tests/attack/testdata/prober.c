/*
 * prober PID ROUNDS: run by a user's command. Tries everything a process can do to another, on
 * every thread of the server that waits for the command, and prints what was permitted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int pid, permitted;

static void result(const char *what, int tid, long got)
{
	if (got >= 0) {
		printf("%s on %d is permitted\n", what, tid);
		permitted = 1;
	}
}

static void open_file(int tid, const char *name, int flags)
{
	char path[200];
	snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd >= 0 && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_DIRECTORY)) {
		char byte; /* opening may be permitted where reading is not */
		if (read(fd, &byte, 1) < 1) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		result(name, tid, fd);
}

/* Everybody may open it; who may write is asked later. */
static void write_file(int tid, const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		result(name, tid, write(fd, text, strlen(text)));
		close(fd);
	}
}

static void attack(int tid)
{
	char here[64];
	struct iovec local = {here, sizeof here}, remote = {(void *)0x400000, sizeof here};
	struct rlimit limit = {0, 0};
	cpu_set_t cpus;

	result("kill 0", tid, kill(tid, 0));
	result("tgkill 0", tid, syscall(SYS_tgkill, pid, tid, 0));
	result("tgkill SIGURG", tid, syscall(SYS_tgkill, pid, tid, SIGURG));
	result("ptrace attach", tid, ptrace(PTRACE_ATTACH, tid, 0, 0));
	result("ptrace seize", tid, ptrace(PTRACE_SEIZE, tid, 0, 0));
	result("process_vm_readv", tid, process_vm_readv(tid, &local, 1, &remote, 1, 0));
	result("process_vm_writev", tid, process_vm_writev(tid, &local, 1, &remote, 1, 0));
	result("prlimit", tid, prlimit(tid, RLIMIT_NOFILE, &limit, NULL));
	result("setpriority", tid, setpriority(PRIO_PROCESS, tid, 19));
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	result("sched_setaffinity", tid, sched_setaffinity(tid, sizeof cpus, &cpus));
	result("ioprio_set", tid, syscall(SYS_ioprio_set, 1, tid, 3 << 13));
	int pidfd = syscall(SYS_pidfd_open, tid, 0);
	if (pidfd >= 0) {
		for (int fd = 0; fd < 64; fd++)
			result("pidfd_getfd", tid, syscall(SYS_pidfd_getfd, pidfd, fd, 0));
		result("pidfd_send_signal", tid, syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
	}
	open_file(tid, "mem", O_RDONLY);
	open_file(tid, "mem", O_RDWR);
	open_file(tid, "environ", O_RDONLY);
	open_file(tid, "auxv", O_RDONLY);
	open_file(tid, "maps", O_RDONLY);
	open_file(tid, "stack", O_RDONLY);
	open_file(tid, "syscall", O_RDONLY);
	open_file(tid, "fd", O_RDONLY | O_DIRECTORY);
	open_file(tid, "fdinfo", O_RDONLY | O_DIRECTORY);
	open_file(tid, "oom_score_adj", O_WRONLY);
	open_file(tid, "comm", O_WRONLY);
	write_file(tid, "attr/current", "unconfined");
	open_file(tid, "root/etc/passwd", O_RDONLY);
	open_file(tid, "cwd", O_RDONLY | O_DIRECTORY);
}

int main(int argc, char **argv)
{
	char path[64];
	pid = argc > 1 ? atoi(argv[1]) : getppid();
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	int tasks = 0;
	for (int rounds = argc > 2 ? atoi(argv[2]) : 1; rounds > 0; rounds--) {
		DIR *d = opendir(path);
		struct dirent *e;
		while (d && (e = readdir(d)))
			if (atoi(e->d_name) > 0) {
				tasks++;
				attack(atoi(e->d_name));
			}
		if (d)
			closedir(d);
	}
	printf("%d tasks tried, %s\n", tasks, permitted ? "not all refused" : "all refused");
	return 0;
}
