/*
 * The stage between fork and exec, for which Go's own ForkExec has no place.
 *
 * The child is made by clone(2) with CLONE_VM|CLONE_VFORK, as posix_spawn(3)
 * makes its: it borrows the parent's memory and the calling thread sleeps until
 * it has called exec or exited. That is three times faster than a fork that
 * copies the page tables, and lets the child report its progress by writing
 * into *s. The price is that the child may use only async-signal-safe calls, no
 * lock, no malloc, nothing of Go's, and no libc wrapper that reaches for other
 * threads: setuid(3) of glibc would signal the parent's. Hence syscall().
 *
 * errno is the calling thread's own, which sleeps: writing it is safe.
 */
#define _GNU_SOURCE
#include "start.h"
#include "watchdog.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* On 32-bit machines the plain names are the calls with 16-bit ids. */
#ifdef SYS_setresuid32
#define SETRESUID SYS_setresuid32
#define SETRESGID SYS_setresgid32
#define SETGROUPS SYS_setgroups32
#define SETUID SYS_setuid32
#define SETGID SYS_setgid32
#define GETRESUID SYS_getresuid32
#define GETRESGID SYS_getresgid32
#else
#define SETRESUID SYS_setresuid
#define SETRESGID SYS_setresgid
#define SETGROUPS SYS_setgroups
#define SETUID SYS_setuid
#define SETGID SYS_setgid
#define GETRESUID SYS_getresuid
#define GETRESGID SYS_getresgid
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* The kernel's own struct sigaction, which differs from libc's: all zero is
 * SIG_DFL, no flags, no mask, on every architecture; this is as large as any. */
struct kernel_sigaction {
	unsigned long words[8];
};
enum { SIGNALS = _NSIG - 1, SIGSET_BYTES = SIGNALS / 8 };

/* Every disposition to its default. Raw calls: libc's sigaction refuses the two
 * signals it keeps for itself, and these too must not arrive at the shell ignored.
 * The child has a table of its own (no CLONE_SIGHAND), so the parent's stays. */
static void default_signals(void)
{
	static const struct kernel_sigaction dfl;
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			syscall(SYS_rt_sigaction, sig, &dfl, NULL, SIGSET_BYTES);
}

/* Becomes the user for good. The command's groups are the parent's own, set before
 * pam_group could add to them, and are inherited; another program is given its. */
static int take_identity(const struct start *s)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (s->groups != NULL && syscall(SETGROUPS, s->ngroups, s->groups) != 0)
		return -1;
	if (syscall(SETRESGID, s->gid, s->gid, s->gid) != 0)
		return -1;
	if (syscall(SETRESUID, s->uid, s->uid, s->uid) != 0)
		return -1;
	/* The change set the memory, which is root's parent's as well, to fs.suid_dumpable. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/*
	 * A set*id that reports success is not believed (CVE-2023-40303 is one that
	 * was not even asked).
	 */
	if (syscall(GETRESUID, &ruid, &euid, &suid) != 0 || syscall(GETRESGID, &rgid, &egid, &sgid) != 0)
		return -1;
	if (ruid != s->uid || euid != s->uid || suid != s->uid || rgid != s->gid || egid != s->gid || sgid != s->gid) {
		errno = EPERM;
		return -1;
	}
	if (s->uid != 0 && (syscall(SETUID, 0) == 0 || (s->gid != 0 && syscall(SETGID, 0) == 0))) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* Nothing above 2 stays open, whatever a PAM module or the super-server leaked. */
static void close_rest(void)
{
	if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) /* Linux 5.9 */
		for (int fd = 3; fd < 65536; fd++)
			close(fd);
}

/* As execvp(3) goes through PATH, with the user's rights: a program that may not be
 * executed does not hide a later one, but is what is reported if there is none. */
static void execute(const struct start *s)
{
	char *const *next = s->others;
	int denied = 0;

	for (const char *path = s->shell; path != NULL; path = next != NULL ? *next++ : NULL) {
		execve(path, s->argv, s->envp);
		if (errno == EACCES)
			denied = 1;
		else if (errno != ENOENT && errno != ENOTDIR)
			return;
	}
	if (denied)
		errno = EACCES;
}

static void fail(struct start *s)
{
	s->error = errno;
	_exit(127);
}

static int child(void *arg)
{
	struct start *s = arg;
	sigset_t none;

	default_signals();
	s->stage = STAGE_SESSION;
	if (setsid() < 0 && errno != EPERM) /* EPERM: leads one already */
		fail(s);
	s->stage = STAGE_IDENTITY;
	if (s->change_identity && take_identity(s) != 0)
		fail(s);
	/* After the change of ids, which takes it off. */
	if (s->guarded && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		fail(s);
	s->stage = STAGE_HOME;
	if (chdir(s->home) != 0)
		fail(s);
	s->stage = STAGE_DESCRIPTORS;
	if (dup2(s->in, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0)
		fail(s);
	close_rest();
	/* The status byte: after everything that can still be refused, before anything
	 * the command can send. A peer that is gone already does not keep the command
	 * from running: it would not a moment later either. To a pipe nothing is sent. */
	s->stage = STAGE_SHELL;
	(void)send(1, "", 1, MSG_NOSIGNAL);
	memset(&none, 0, sizeof none);
	/* Last: from here on a signal may end the child. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGSET_BYTES);
	execute(s);
	fail(s);
	return 0;
}

int session_start_on(struct start *s, char *top)
{
	sigset_t all, old;
	int made;

	s->stage = STAGE_FORK;
	s->error = 0;
	s->pid = 0;
	s->pidfd = -1;
	/* No handler of Go's may ever run in the child: every signal waits until
	 * the child has none left, and the parent's mask is as before afterwards. */
	memset(&all, 0xff, sizeof all); /* sigfillset(3) leaves out the two that libc keeps for itself */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, SIGSET_BYTES);
	/* Stacks grow down on every architecture that Go's cgo has on Linux. */
	/* The pidfd comes with the child (Linux 5.2), so that a lack of descriptors
	 * is a failed fork, before the status byte. The child writes its own id into s. */
	made = clone(child, top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CHILD_SETTID | SIGCHLD, s, &s->pidfd, NULL,
		     (pid_t *)&s->pid);
	if (made < 0) {
		s->error = errno;
		s->pid = 0;
		s->pidfd = -1;
	} else if (s->error == 0 && s->stage != STAGE_SHELL) {
		s->error = EINTR; /* killed on its way, by the watchdog */
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, SIGSET_BYTES);
	return s->error != 0 ? -1 : 0;
}

int session_start(struct start *s)
{
	/* The child's stack, on the caller's own, which sleeps. 16 for the ABI's alignment. */
	char stack[START_STACK] __attribute__((aligned(16)));
	int result;

	session_watchdog_child(s);
	result = session_start_on(s, stack + sizeof stack);
	session_watchdog_child(NULL); /* from here on the child may be reaped, and its number another's */
	return result;
}
