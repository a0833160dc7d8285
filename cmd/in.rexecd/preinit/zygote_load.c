#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zygote.h"

/* The supervisor logs whatever else is said first. */
static const char ready[] = "ready";

/* No login comes of this transaction: nobody is asked anything. */
static int answer_nothing(int n, const struct pam_message **msg, struct pam_response **resp, void *data)
{
	(void)n, (void)msg, (void)resp, (void)data;
	return PAM_CONV_ERR;
}

/* What a handler does before its connection, so that all it maps is there. The
 * transaction serves no login and has no user. It is not ended: that would unload the
 * modules. */
static void preload(const char *service)
{
	static const struct pam_conv nobody = {answer_nothing, NULL};
	static char entry[65536];
	pam_handle_t *pamh;
	struct passwd pw, *root = NULL;
	gid_t groups[64];
	int n = 64;

	(void)pam_start(service, "", &nobody, &pamh); /* what fails is the handlers' to report */
	if (getpwnam_r("root", &pw, entry, sizeof entry, &root) == 0 && root != NULL)
		(void)getgrouplist("root", pw.pw_gid, groups, &n);
}

/* A thread would not be there in a fork, and a lock that it held for ever be. */
static void give_up_with_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0;

	if (tasks == NULL)
		zygote_give_up("/proc does not show its threads");
	while ((d = readdir(tasks)) != NULL)
		n += d->d_name[0] != '.';
	closedir(tasks);
	if (n != 1)
		zygote_give_up("a PAM module or a name service has started a thread");
}

enum { most_known = 1024 };

static int open_before[most_known];

static void note_descriptors(void)
{
	int fd;

	for (fd = 0; fd < most_known; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) != -1;
}

/* Handlers must not share a connection to a name service: one would read the answer
 * that is another's. Modules look at their process id, or do not; for all of them the
 * connection has ended, as when the service was started anew. Other things that a
 * fork shares and cannot do without (epoll, pipes) keep this process from being
 * forked; what a file maps or reads by position is like that of an executed process. */
static void end_connections(void)
{
	int pair[2] = {-1, -1}, fd;
	struct stat st;

	for (fd = 0; fd < most_known; fd++) {
		if (open_before[fd] || fstat(fd, &st) != 0)
			continue;
		if ((st.st_mode & S_IFMT) == 0 || S_ISFIFO(st.st_mode))
			zygote_give_up("a PAM module or a name service keeps a descriptor that processes cannot share");
		if (!S_ISSOCK(st.st_mode))
			continue;
		if (pair[0] < 0) {
			if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
				zygote_give_up("socketpair fails");
			close(pair[1]);
			open_before[pair[0]] = open_before[pair[1]] = 1;
		}
		if (dup3(pair[0], fd, fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
			zygote_give_up("dup3 fails");
	}
	if (pair[0] >= 0)
		close(pair[0]);
}

void zygote_load(const char *service)
{
	note_descriptors();
	preload(service);
	end_connections();
	give_up_with_threads();
}

static char report[32768];
static size_t reported;

static int add_name(struct dl_phdr_info *info, size_t size, void *data)
{
	size_t n = strlen(info->dlpi_name) + 1;

	(void)size, (void)data;
	if (info->dlpi_name[0] == '/' && n <= sizeof report - reported) {
		memcpy(report + reported, info->dlpi_name, n);
		reported += n;
	}
	return 0;
}

/* With the names of all files that were loaded: one that changes ends this process. */
void zygote_report(void)
{
	memcpy(report, ready, sizeof ready);
	reported = sizeof ready;
	dl_iterate_phdr(add_name, NULL);
	zygote_say(report, reported);
}
