/* The C reference: the same job as in.rexecd in the least code: the protocol with its dial-back, one PAM transaction
 * from start to end, the user's groups, and a parent that waits to close the session. No settings, no log, no signals:
 * the least that this job can cost on Linux, for the benchmark to compare with. */
#include "wire.h"
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* answer gives the password to the first ECHO_OFF and refuses everything else that wants an answer. */
static int answer(int n, const struct pam_message **msg, struct pam_response **out, void *arg)
{
	const char **password = arg;
	struct pam_response *r = calloc(n, sizeof *r);

	if (!r)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		int style = msg[i]->msg_style;

		if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG)
			continue;
		if (style != PAM_PROMPT_ECHO_OFF || !*password) {
			free(r);
			return PAM_CONV_ERR;
		}
		r[i].resp = strdup(*password);
		*password = NULL;
	}
	*out = r;
	return PAM_SUCCESS;
}

/* numeric is the peer's address as PAM_RHOST wants it: a v4-mapped one without its ::ffff: */
static void numeric(const struct sockaddr_storage *peer, char *to, size_t size)
{
	const struct sockaddr_in6 *six = (const void *)peer;

	if (peer->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, to, size);
	else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, to, size);
	else
		inet_ntop(AF_INET6, &six->sin6_addr, to, size);
}

static char **environment(pam_handle_t *pam, const struct passwd *pw, const char *rhost, const struct wire *w)
{
	static char home[4200], shell[4200], user[300], logname[300], client[120];
	char **fromPAM = pam_getenvlist(pam), **env;
	int n = 0;

	while (fromPAM && fromPAM[n])
		n++;
	env = calloc(n + 7, sizeof *env);
	if (!env)
		refuse(w->primary, "Try again.");
	snprintf(home, sizeof home, "HOME=%s", pw->pw_dir);
	snprintf(shell, sizeof shell, "SHELL=%s", pw->pw_shell);
	snprintf(user, sizeof user, "USER=%s", pw->pw_name);
	snprintf(logname, sizeof logname, "LOGNAME=%s", pw->pw_name);
	snprintf(client, sizeof client, "REXEC_CLIENT=%s %u %u", rhost, ntohs(((struct sockaddr_in *)&w->peer)->sin_port),
		ntohs(((struct sockaddr_in *)&w->local)->sin_port));
	memcpy(env, (char *[]){ home, shell, user, logname, client, "PATH=/usr/local/bin:/usr/bin:/bin" }, 6 * sizeof *env);
	memcpy(env + 6, fromPAM, n * sizeof *env);
	return env;
}

/* run is the vfork child: the user's identity, home, descriptors, the NUL, the shell. It returns, to its parent's
 * `failed` variable, only what is a refusal before the NUL; system calls only, raw ones for the ids. */
static void run(const struct wire *w, const struct passwd *pw, char **env, const char **failed)
{
	const char *shell = *pw->pw_shell ? pw->pw_shell : "/bin/sh", *base = strrchr(shell, '/');
	sigset_t none;

	setsid();
	*failed = "Try again.";
	if (syscall(SYS_setresgid, pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    syscall(SYS_setresuid, pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		_exit(1);
	*failed = "No remote directory.";
	if (chdir(pw->pw_dir) < 0)
		_exit(1);
	*failed = NULL;
	dup2(w->primary, 0);
	dup2(w->primary, 1);
	dup2(w->stderr_fd, 2);
	syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (write(0, "", 1) == 1)
		execve(shell, (char *[]){ (char *)(base ? base + 1 : shell), "-c", (char *)w->command, NULL }, env);
	_exit(127);
}

int main(void)
{
	struct wire w;
	char rhost[INET6_ADDRSTRLEN];
	const char *password, *failed = NULL;
	struct pam_conv conv = { answer, &password };
	pam_handle_t *pam;
	struct passwd *pw;
	char **env;
	pid_t pid;
	int status, rc;

	receive(&w);
	password = w.password;
	numeric(&w.peer, rhost, sizeof rhost);

	if (pam_start("rexec", w.user, &conv, &pam) != PAM_SUCCESS)
		refuse(w.primary, "Try again.");
	pam_set_item(pam, PAM_RHOST, rhost);
	pam_set_item(pam, PAM_TTY, "rexec");
	if ((rc = pam_authenticate(pam, PAM_DISALLOW_NULL_AUTHTOK)) != PAM_SUCCESS || (rc = pam_acct_mgmt(pam, 0)) != PAM_SUCCESS ||
	    !(pw = getpwnam(w.user)) || pw->pw_uid == 0) {
		pam_end(pam, rc);
		refuse(w.primary, "Login incorrect.");
	}
	explicit_bzero((char *)w.password, strlen(w.password));
	if (setgid(pw->pw_gid) < 0 || initgroups(w.user, pw->pw_gid) < 0 ||
	    (rc = pam_setcred(pam, PAM_ESTABLISH_CRED)) != PAM_SUCCESS || (rc = pam_open_session(pam, 0)) != PAM_SUCCESS)
		refuse(w.primary, "Try again.");
	env = environment(pam, pw, rhost, &w);
	alarm(0);

	pid = vfork();
	if (pid == 0)
		run(&w, pw, env, &failed);
	if (pid < 0)
		failed = "Try again.";
	if (!failed) {
		close(w.primary);
		if (w.stderr_fd != w.primary)
			close(w.stderr_fd);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	pam_close_session(pam, 0);
	pam_setcred(pam, PAM_DELETE_CRED);
	pam_end(pam, PAM_SUCCESS);
	if (failed)
		refuse(w.primary, failed);
	return 0;
}
