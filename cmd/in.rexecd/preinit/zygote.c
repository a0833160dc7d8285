#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __GLIBC_MINOR__ && __GLIBC_MINOR__ >= 35
#include <sys/rseq.h>
#endif

#include "zygote.h"

/* The zygote: a process that has loaded what a handler needs, and has not started
 * Go's runtime. It has one thread and may fork. rexecd -standby starts it with the
 * flags of a handler, "-zygote" in place of "-worker"; a fork of it changes that word
 * in its arguments and returns from this constructor, so that Go's runtime starts in
 * it as if it had just been executed. Package prefork has the other end of the talk.
 *
 * What a fork is given that an executed process has for itself: the addresses of
 * everything loaded, the guards of pointers (and of the stack, where they are not
 * renewed below) and malloc's key. SECURITY.md says what follows from that. What is
 * its own: descriptors, glibc's thread id, lists of robust mutexes and state of
 * getrandom (fork(3) sees to these, and calls the handlers that libraries have
 * registered with pthread_atfork), the random bytes that Go's runtime starts from.
 * Buffers of stdio are empty: nothing is written before. */
enum { talk = 3, first_listener = 4, most_listeners = 64 };

/* The guard of the stack, which glibc made of random bytes when the zygote began.
 * Where it lies in thread-local storage a fork gets another; elsewhere it is in memory
 * that is read-only by now. */
#if defined __x86_64__ && defined __LP64__ && defined __GLIBC__
#define NEW_GUARD(guard) __asm__ volatile("mov %0, %%fs:0x28" : : "r"(guard) : "memory")
#else
#define NEW_GUARD(guard) (void)(guard)
#endif

static const char flag_zygote[] = "-zygote", flag_worker[] = "-worker";

void zygote_say(const char *text, size_t size)
{
	send(talk, text, size, MSG_NOSIGNAL);
}

__attribute__((noreturn)) void zygote_give_up(const char *why)
{
	zygote_say(why, strlen(why));
	_exit(0);
}

/* The supervisor's process must be the parent of a handler, not this one: it adopts
 * the child of a process that ends (PR_SET_CHILD_SUBREAPER). That process need not be
 * a copy: it borrows this one's memory (vfork), and only calls fork(3). Returns 0 in
 * the handler; else the handler's process id, or a negative errno. */
static pid_t make_handler(void)
{
	volatile pid_t made = 0; /* in the memory that both have */
	pid_t between = vfork();

	if (between == 0) {
		made = fork();
		if (made == 0)
			return 0; /* to a stack of its own */
		if (made < 0)
			made = -errno;
		_exit(0);
	}
	if (between < 0)
		return -errno;
	/* Reaped, it has handed its child over. Where SIGCHLD is ignored this ends with ECHILD, as late. */
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	return made != 0 ? made : -ECHILD;
}

/* Receives at most n descriptors with a message of at most size bytes. */
static ssize_t receive(int from, char *text, size_t size, int *fds, int n, int *count)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(most_listeners * sizeof(int))];
	struct iovec iov = {text, size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
	struct cmsghdr *c;
	ssize_t got;

	*count = 0;
	do
		got = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got > 0 && (c = CMSG_FIRSTHDR(&msg)) != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)*count * sizeof(int));
	}
	return got;
}

/* The kernel's restartable sequences end for a process that borrows memory (vfork), and
 * so for those it forks. glibc would go on to read from its area on which processor this
 * process runs, and find where the zygote ran: start_small would bring every handler
 * there. A kernel that does not take the area again is asked each time. */
static void register_rseq(void)
{
#ifdef RSEQ_SIG
	/* Not linked: glibc has them since 2.35 only. */
	const unsigned *size = dlsym(RTLD_DEFAULT, "__rseq_size");
	const ptrdiff_t *offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
	struct rseq *area;

	if (size == NULL || offset == NULL || *size == 0) /* an administrator may do without (GLIBC_TUNABLES) */
		return;
	area = (struct rseq *)((char *)__builtin_thread_pointer() + *offset);
	area->cpu_id = (uint32_t)RSEQ_CPU_ID_REGISTRATION_FAILED; /* the kernel's from here on */
	(void)syscall(SYS_rseq, area, 32U, 0, RSEQ_SIG);	  /* the first size, which every kernel takes */
#endif
}

/* In the handler: descriptors and arguments as the supervisor gives them to one that
 * it executes. The listening sockets come by the handler's own socket: they are never
 * the zygote's. */
static uintptr_t guard;

static void become_handler(int control, int listeners, char *flag)
{
	int fds[most_listeners], n, i;
	char text = 0;

	register_rseq();
	if (dup2(control, talk) < 0) /* closes the zygote's: no handler ever has it */
		_exit(1);
	close(control);
	if (receive(talk, &text, 1, fds, listeners, &n) <= 0)
		_exit(0); /* the supervisor has gone */
	if (n != listeners)
		_exit(1);
	for (i = 0; i < n; i++) {
		if (dup2(fds[i], first_listener + i) < 0)
			_exit(1);
		close(fds[i]);
	}
	/* Go's runtime makes all its random numbers from these, and would make the same in
	 * each handler. */
	if (getrandom((void *)getauxval(AT_RANDOM), 16, 0) != 16 || getrandom(&guard, sizeof guard, 0) != sizeof guard)
		_exit(1);
	memcpy(flag, flag_worker, sizeof flag_worker);
}

/* Serves the supervisor until that ends. Returns in each handler. */
static void serve(int listeners, char *flag)
{
	for (;;) {
		int control, n;
		int32_t made;
		char text = 0;

		if (receive(talk, &text, 1, &control, 1, &n) <= 0)
			_exit(0);
		made = n == 1 ? make_handler() : -EMFILE; /* it did not fit among the descriptors */
		if (made == 0) {
			become_handler(control, listeners, flag);
			return;
		}
		if (n == 1)
			close(control);
		zygote_say((const char *)&made, sizeof made);
	}
}

/* Returns 1 in a handler, and 0 where no zygote is wanted. */
static int zygote(int argc, char **argv)
{
	char service[64];
	struct stat st;
	int listeners, type, n, i, none;
	socklen_t size = sizeof type;

	if (argc < 3 || strcmp(argv[argc - 2], flag_zygote) != 0)
		return 0;
	listeners = atoi(argv[argc - 1]);
	/* Whoever else writes that flag is told that there is none. */
	if (listeners < 1 || listeners > most_listeners || fstat(talk, &st) != 0 || !S_ISSOCK(st.st_mode) ||
	    getsockopt(talk, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
		return 0;
	fcntl(talk, F_SETFD, FD_CLOEXEC);
	for (i = 0; i < listeners; i++) /* kept free of what modules open */
		if (fcntl(first_listener + i, F_GETFD) == -1 && dup3(0, first_listener + i, O_CLOEXEC) < 0)
			zygote_give_up("no descriptors are left");
	n = (int)receive(talk, service, sizeof service - 1, &none, 0, &i);
	if (n <= 0)
		_exit(0);
	service[n] = 0;
	zygote_load(service);
	/* As every handler: a dump would have what handlers yet to come share. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	zygote_report();
	serve(listeners, argv[argc - 2]);
	return 1;
}

/* Before the other constructors, which every handler must run for itself. It must have
 * no guard of its own: that would be the old one. glibc's function that calls it has
 * none, and does not return. Were it otherwise, handlers would end at once, and the
 * supervisor do without a zygote. */
#if defined __has_attribute && __has_attribute(no_stack_protector)
__attribute__((no_stack_protector))
#endif
__attribute__((constructor(101))) static void be_zygote(int argc, char **argv)
{
#ifdef __GLIBC__ /* others pass no arguments to a constructor */
	static int (*volatile const not_inlined)(int, char **) = zygote;

	if (not_inlined(argc, argv)) {
		NEW_GUARD(guard & ~(uintptr_t)0xff); /* a string ends before it, as glibc has it */
		guard = 0;
	}
#else
	(void)argc, (void)argv, (void)zygote;
#endif
}
