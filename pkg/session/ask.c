/*
 * Questions to a socket that take its lock, which a process of the user's can keep
 * for as long as it likes: by sending from memory whose pages are in a file system
 * of the user's own. Whoever waits for the lock cannot be killed. A thread that
 * did would keep the whole process from its end, and glibc's setuid(3) in a PAM
 * module waiting for it. So a process asks, whose end nobody waits for; Go's runtime,
 * which would abort where no thread can be made, has no part in it.
 */
#define _GNU_SOURCE
#include "ask.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

struct question {
	enum ask what;
	int fd, out;
};

/*
 * A peer that has closed its socket acknowledges probes until its kernel has
 * forgotten it, a minute (tcp_fin_timeout). One whose host has gone answers none.
 */
static void ask_probes(void)
{
	static const int on = 1, seconds = 10, count = 5;

	(void)setsockopt(0, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
	(void)setsockopt(0, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
	(void)setsockopt(0, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
	(void)setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/*
 * The copy of a process that has other threads: only async-signal-safe calls, no
 * malloc. All signals are blocked.
 */
static int asker(void *arg)
{
	const struct question *q = arg;
	char answer[1 + ASK_BYTES] = {ANSWER_DONE};
	size_t size = 1;

	if (dup2(q->fd, 0) < 0 || dup2(q->out, 1) < 0)
		_exit(1);
	/* The rest is the parent's: a socket lives for as long as anybody has it. */
	if (syscall(SYS_close_range, 2U, ~0U, 0U) != 0)
		for (int fd = 2; fd < 65536; fd++)
			close(fd);
	if (q->what == ASK_PROBES) {
		ask_probes();
	} else {
		ssize_t n = recv(0, answer + 1, ASK_BYTES, MSG_DONTWAIT);

		answer[0] = n > 0 ? ANSWER_BYTES : ANSWER_END;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			answer[0] = ANSWER_NOTHING; /* the command, which has the socket as well, has read it */
		else if (n > 0)
			size += (size_t)n;
	}
	(void)!write(1, answer, size);
	_exit(0);
}

pid_t session_ask(enum ask what, int fd, int out)
{
	/*
	 * A copy of the memory, this stack in it: what clone(2) is given is where the
	 * copy begins to use it.
	 */
	char stack[16384] __attribute__((aligned(16)));
	struct question q = {what, fd, out};
	sigset_t all, old;
	pid_t pid;

	memset(&all, 0xff, sizeof all); /* no handler of Go's may ever run in the copy */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, _NSIG / 8);
	/* No signal at its end, which is nobody's business. */
	pid = clone(asker, stack + sizeof stack, 0, &q);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, _NSIG / 8);
	return pid;
}
