/*
 * Capabilities belong to threads, and a thread can change none but its own. So
 * each is made to do it by a signal, as glibc's setxid and libcap's psx do.
 */
#define _GNU_SOURCE
#include "capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile uint64_t keep; /* written before the first signal is sent, once */

/* Only system calls that change the calling thread and nothing else: it may have
 * been interrupted anywhere, in malloc too. capset(2) has no wrapper in libc. */
int session_cut(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
	struct __user_cap_data_struct sets[2];
	int failed = 0;

	/* First the bounding set, while there is cap_setpcap: a program that root
	 * executes gets all of it, pam_exec's for one. */
	for (unsigned c = 0; c < 64; c++) {
		int has = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

		if (has < 0) /* past the kernel's last */
			break;
		if (has && !(keep >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0 && failed == 0)
			failed = errno;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && failed == 0)
		failed = errno;
	if (syscall(SYS_capget, &header, sets) == 0) {
		for (int i = 0; i < 2; i++) {
			uint32_t half = (uint32_t)(keep >> (32 * i));

			sets[i].permitted &= half;
			sets[i].effective &= half;
			sets[i].inheritable = 0;
		}
		if (syscall(SYS_capset, &header, sets) == 0) {
			errno = failed;
			return failed != 0 ? -1 : 0;
		}
	}
	if (failed != 0)
		errno = failed;
	return -1;
}

/* errno belongs to what was interrupted. Whether it worked is looked up in /proc. */
static void on_cut(int sig)
{
	int saved = errno;

	(void)sig;
	(void)session_cut();
	errno = saved;
}

int session_cut_on_signal(uint64_t mask)
{
	/* SA_ONSTACK: Go's threads have small stacks. SA_RESTART: whatever can go on
	 * after a handler does; poll(2) and sleeps end with EINTR. */
	struct sigaction action = {.sa_handler = on_cut, .sa_flags = SA_ONSTACK | SA_RESTART};

	sigfillset(&action.sa_mask);
	keep = mask;
	/* The first that libc leaves free, 34 with glibc: Go's runtime unblocks it in all
	 * its threads, as musl has need of it, and has no use for it. The handler stays: a
	 * thread that has it blocked meets it later, when the default would end the process. */
	return sigaction(SIGRTMIN, &action, NULL) != 0 ? -1 : SIGRTMIN;
}
