#include <sys/resource.h>

/* Go's os package raises the soft limit of open files while it initialises, for
 * the whole process. This runs before, and before other constructors (which have
 * 65535): what the super-server gave is what pam_limits must find, and the shell
 * after it. */
static struct rlimit inherited;
static int known;

__attribute__((constructor(101))) static void save_nofile(void)
{
	known = getrlimit(RLIMIT_NOFILE, &inherited) == 0;
}

int session_restore_nofile(void)
{
	return known ? setrlimit(RLIMIT_NOFILE, &inherited) : 0;
}
