#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static cpu_set_t cpus;
static int cpus_known;
static int slack;
static int batch;
static int files_known;
static struct rlimit files;

/* Before Go's runtime starts, and before start_small: when the runtime cannot
 * start a thread it writes a trace to descriptor 2 and aborts, and under inetd
 * descriptor 2 is the peer. */
__attribute__((constructor(102))) static void take_stderr_off_the_peer(void)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	int null;

	if (getpeername(2, (struct sockaddr *)&peer, &size) != 0 || (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0) { /* the runtime will try once more, and end the process in silence */
		close(2);
		return;
	}
	dup2(null, 2);
	if (null > 2)
		close(null);
}

/* The runtime finds less than there is while it starts: this process does one
 * thing after the other. The first thread gets it all back at once (restore).
 *
 * One processor: the runtime makes itself as wide as those it may run on, and
 * wakes threads on the others while it starts, a third of its start-up time. It
 * has no other knob that can be turned in the binary; GOMAXPROCS is in the
 * environment, which belongs to the super-server. Likewise one malloc arena: every
 * further one is an mmap of 64 MB per thread.
 *
 * A timer slack of 10 ms, which threads inherit: the runtime's monitor thread
 * would sleep 20 us at a time, to take the processor from a goroutine that does
 * not yield, 25 interruptions in the life of a process where there is nobody to
 * give it to.
 *
 * SCHED_BATCH, which threads inherit: a thread that is woken does not interrupt
 * the one that woke it, which is about to sleep; it would be taken for busy, and
 * one more thread be made.
 *
 * No files: the runtime reads its control group, how many processors that gives
 * it, and the size of huge pages, and does without what it cannot open.
 * /proc/self/mountinfo can be long. The first three descriptors it insists on. */
__attribute__((constructor(103))) static void start_small(void)
{
	cpu_set_t one;
	struct sched_param none = {0};
	int cpu = sched_getcpu();

	mallopt(M_ARENA_MAX, 1);
	slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 10 * 1000 * 1000, 0, 0, 0); /* ns */
	batch = sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0;
	files_known = getrlimit(RLIMIT_NOFILE, &files) == 0;
	if (files_known && files.rlim_cur > 3) {
		struct rlimit few = {3, files.rlim_max};
		setrlimit(RLIMIT_NOFILE, &few);
	}
	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) < 2)
		return; /* more than 1024 processors: as wide as Go likes */
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	cpus_known = sched_setaffinity(0, sizeof one, &one) == 0;
}

/* What sched_getaffinity returned is what the thread may run on now: its own
 * mask, if it has one, and what its cpuset and the processors that are on leave
 * of it. Set as it is, it would become the thread's own mask, and neither it nor
 * the command would ever run on a processor that comes later. So a thread that
 * could run on all it could possibly be given gets the mask of all, which is as
 * good as none (the kernel keeps what was asked for since 6.2, and forgets it at
 * a change of the cpuset before). A mask of its own that excludes nothing today
 * looks like none; then the command may follow, too. */
static void restore_cpus(void)
{
	cpu_set_t all, allowed;

	memset(&all, 0xff, sizeof all);
	if (sched_setaffinity(0, sizeof all, &all) == 0 && sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_EQUAL(&allowed, &cpus))
		return;
	sched_setaffinity(0, sizeof cpus, &cpus);
}

void restore(void)
{
	struct sched_param none = {0};

	if (files_known)
		setrlimit(RLIMIT_NOFILE, &files);
	if (slack > 0)
		prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
	if (batch)
		sched_setscheduler(0, SCHED_OTHER, &none);
	if (cpus_known)
		restore_cpus();
}
