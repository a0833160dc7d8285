/*
 * A name service whose names have no case, as those of sssd and winbind: ALICE is
 * the entry alice of /etc/passwd.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

enum nss_status _nss_caseless_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t size, int *errnop)
{
	struct passwd *found = NULL;
	FILE *f = fopen("/etc/passwd", "re");
	int e = ENOENT;

	if (f == NULL) {
		*errnop = errno;
		return NSS_STATUS_UNAVAIL;
	}
	while ((e = fgetpwent_r(f, pw, buf, size, &found)) == 0 && strcasecmp(found->pw_name, name) != 0)
		;
	fclose(f);
	if (e == 0)
		return NSS_STATUS_SUCCESS;
	*errnop = e;
	return e == ERANGE ? NSS_STATUS_TRYAGAIN : NSS_STATUS_NOTFOUND;
}
