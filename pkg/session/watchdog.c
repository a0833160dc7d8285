/*
 * The end of what hangs. A timer of Go's would do, if it were not for its price: the
 * runtime starts its poller for the first one and has a thread wait for it, and one more
 * thread must be made beforehand, since a limit of the session's may forbid to make
 * it later. In every connection, for what hardly ever happens.
 *
 * So the kernel has the timer, and a signal's handler does what cannot wait: it kills
 * the child that hangs, or starts this program again as the reporter, which writes
 * the record and charges the penalty in Go as ever, waits for its end, closes the
 * connections and ends the process.
 *
 * The signal is blocked on the first thread, where PAM's modules run: whatever they
 * block, and whatever they wait for, be it in a file system that does not answer,
 * one of the runtime's other threads takes it. Those only ever wait for work.
 *
 * The handler makes async-signal-safe calls only, uses memory of its own, and shares
 * with the first thread what is atomic or belongs to one of them at a time: the
 * report is the handler's from ACTIVITY_BUSY on, and the first thread's otherwise.
 */
#define _GNU_SOURCE
#include "watchdog.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
	_Atomic enum activity activity;
	const struct start *_Atomic child;
	struct timespec over, give_up; /* CLOCK_MONOTONIC */
	int caught, armed;
	timer_t timers[2]; /* the handler's, and the one that nothing in this process can keep from ending it */

	const void *report;
	size_t size;
	int conns[2];
	uint64_t limits[SESSION_LIMITS][2];
	int limited;

	struct start reporter;
} dog;

/* The last real-time signal: who needs some takes the first ones. */
#define EXPIRED SIGRTMAX

/* Before Go's runtime starts, whose threads will have this mask: a super-server may
 * have blocked anything. And in the processes that modules fork. */
__attribute__((constructor)) static void unblock(void)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, EXPIRED);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static struct timespec in(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += t.tv_nsec;
	t.tv_sec += ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	return t;
}

static int is_past(const struct timespec *t)
{
	struct timespec now = in(0);

	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* The session's limits are not the reporter's, nor for what it is told. As far as this
 * process may. */
static void restore_limits(void)
{
	for (int i = 0; dog.limited && i < SESSION_LIMITS; i++) {
		uint64_t now[2];

		if (syscall(SYS_prlimit64, 0, i, dog.limits[i], NULL) == 0 || syscall(SYS_prlimit64, 0, i, NULL, now) != 0)
			continue;
		now[0] = dog.limits[i][0] < now[1] ? dog.limits[i][0] : now[1];
		syscall(SYS_prlimit64, 0, i, now, NULL);
	}
}

/* A file in memory: the report may be longer than a pipe holds, and is nobody else's. Above
 * the standard descriptors: a module may have closed those. */
static int report(void)
{
	int low = memfd_create("report", MFD_CLOEXEC), fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
	size_t done = 0;

	while (fd >= 0 && done < dog.size) {
		ssize_t n = write(fd, (const char *)dog.report + done, dog.size - done);

		if (n <= 0 && errno != EINTR) {
			close(fd);
			return -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return fd;
}

/* Ends the process once the reporter has done its work. The connections are closed
 * last: a peer that sees the end finds itself charged. One that hangs may have them as well. */
static _Noreturn void finish(int shut)
{
	static char stack[START_STACK] __attribute__((aligned(16))); /* a signal's own is too small */
	struct start *r = &dog.reporter;
	int status = 1 << 8, fd;

	restore_limits();
	fd = report();
	r->in = r->out = fd;
	if (fcntl(r->err, F_GETFD) < 0)
		r->err = fd; /* which nobody reads; the system's log is there */
	if (fd >= 0 && session_start_on(r, stack + sizeof stack) == 0) {
		while (waitpid(r->pid, &status, __WALL) < 0 && errno == EINTR)
			;
	} else if (fd >= 0 && r->stage == STAGE_FORK && dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(r->err, 2) == 2) {
		/* No process to be had: then this one, whose threads leave room as they end. */
		execve(r->shell, r->argv, r->envp);
	}
	for (int i = 1; i >= 0; i--)
		if (dog.conns[i] >= 0) {
			if (shut)
				shutdown(dog.conns[i], SHUT_RDWR);
			close(dog.conns[i]);
		}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void on_expiry(int sig, siginfo_t *info, void *context)
{
	enum activity call = ACTIVITY_CALL, start = ACTIVITY_START;
	int saved = errno;

	(void)sig;
	(void)context;
	if (info->si_code != SI_TIMER || info->si_value.sival_ptr != &dog)
		return; /* somebody else's */
	if (atomic_compare_exchange_strong(&dog.activity, &call, ACTIVITY_BUSY)) {
		if (is_past(&dog.over)) { /* or it comes late, from a time that was not used up */
			atomic_store(&dog.activity, ACTIVITY_OVER);
			finish(0);
		}
		atomic_store(&dog.activity, ACTIVITY_CALL);
	} else if (atomic_compare_exchange_strong(&dog.activity, &start, ACTIVITY_BUSY)) {
		const struct start *child = atomic_load(&dog.child);
		pid_t pid = child != NULL ? child->pid : 0;

		if (pid > 0 && is_past(&dog.over)) {
			if (is_past(&dog.give_up)) {
				atomic_store(&dog.activity, ACTIVITY_OVER);
				finish(1);
			}
			kill(pid, SIGKILL);
		}
		atomic_store(&dog.activity, ACTIVITY_START);
	}
	errno = saved;
}

void session_watchdog_reporter(char *const *argv, char *const *envp, int err)
{
	/* The program that runs, whatever is at its path by now. */
	dog.reporter = (struct start){.shell = "/proc/self/exe", .home = "/", .argv = argv, .envp = envp, .err = err};
}

void session_watchdog_limits(const uint64_t limits[SESSION_LIMITS][2])
{
	for (int i = 0; i < SESSION_LIMITS; i++) {
		dog.limits[i][0] = limits[i][0];
		dog.limits[i][1] = limits[i][1];
	}
	dog.limited = 1;
}

static int catch(void)
{
	struct sigaction action = {.sa_sigaction = on_expiry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	sigset_t one;

	sigfillset(&action.sa_mask);
	sigemptyset(&one);
	sigaddset(&one, EXPIRED);
	if (sigprocmask(SIG_BLOCK, &one, NULL) != 0 || sigaction(EXPIRED, &action, NULL) != 0 ||
	    (errno = pthread_atfork(NULL, NULL, unblock)) != 0)
		return -1;
	dog.caught = 1;
	return 0;
}

/* They are not kept while a command runs: each counts against root's RLIMIT_SIGPENDING. */
static int make(void)
{
	struct sigevent soft = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = EXPIRED, .sigev_value.sival_ptr = &dog};
	struct sigevent hard = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

	if (timer_create(CLOCK_MONOTONIC, &soft, &dog.timers[0]) != 0)
		return -1;
	if (timer_create(CLOCK_MONOTONIC, &hard, &dog.timers[1]) != 0) {
		timer_delete(dog.timers[0]);
		return -1;
	}
	dog.armed = 1;
	return 0;
}

int session_watchdog_arm(int64_t left, int64_t patience, int64_t last)
{
	struct itimerspec soft = {.it_interval.tv_nsec = 100 * 1000 * 1000}; /* again: a child may come only then */
	struct itimerspec hard = {0};

	if ((!dog.caught && catch() != 0) || (!dog.armed && make() != 0))
		return -1;
	dog.over = soft.it_value = in(left);
	dog.give_up = in(left + patience);
	hard.it_value = in(left + last);
	if (timer_settime(dog.timers[0], TIMER_ABSTIME, &soft, NULL) != 0)
		return -1;
	return timer_settime(dog.timers[1], TIMER_ABSTIME, &hard, NULL);
}

int session_watchdog_disarm(void)
{
	for (int i = 0; dog.armed && i < 2; i++)
		timer_delete(dog.timers[i]);
	dog.armed = 0;
	return 0;
}

void session_watchdog_begin(enum activity activity, const void *report, size_t size, int primary, int second)
{
	dog.report = report;
	dog.size = size;
	dog.conns[0] = primary;
	dog.conns[1] = second;
	atomic_store(&dog.activity, activity);
}

/* Waits for the handler on another thread, which is brief, or the end of the process. */
static void wait_for_handler(void)
{
	enum activity now;

	while ((now = atomic_load(&dog.activity)) == ACTIVITY_BUSY)
		sched_yield();
	while (now == ACTIVITY_OVER)
		pause();
}

int session_watchdog_end(void)
{
	for (;;) {
		enum activity now = atomic_load(&dog.activity);

		if (now <= ACTIVITY_START && atomic_compare_exchange_strong(&dog.activity, &now, ACTIVITY_NONE))
			return 0;
		wait_for_handler();
	}
}

/* The handler either finds the new child, or is waited for: no process that was
 * reaped since is killed. */
void session_watchdog_child(const struct start *child)
{
	atomic_store(&dog.child, child);
	wait_for_handler();
}
