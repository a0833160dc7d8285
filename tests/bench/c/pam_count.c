/* pam_count.so FILE: a PAM module for the soak. It accepts every password but "wrong", and writes one byte to FILE for
 * each session opened (o) and closed (c): whoever opens a session must close it, on every path. */
#define PAM_SM_AUTH
#define PAM_SM_SESSION
#include <fcntl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <string.h>
#include <unistd.h>

static int mark(int argc, const char **argv, char byte)
{
	int fd = argc == 1 ? open(argv[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	int rc = fd >= 0 && write(fd, &byte, 1) == 1 ? PAM_SUCCESS : PAM_SESSION_ERR;

	if (fd >= 0)
		close(fd);
	return rc;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *password = NULL;

	(void)flags, (void)argc, (void)argv;
	if (pam_get_authtok(pam, PAM_AUTHTOK, &password, NULL) != PAM_SUCCESS || !password)
		return PAM_AUTH_ERR;
	return strcmp(password, "wrong") == 0 ? PAM_AUTH_ERR : PAM_SUCCESS;
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}

int pam_sm_open_session(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam, (void)flags;
	return mark(argc, argv, 'o');
}

int pam_sm_close_session(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam, (void)flags;
	return mark(argc, argv, 'c');
}
