/*
 * pam_hostile.so WHEN=WHAT...: a PAM module as bad as they come. WHEN is auth, setcred, acct, open
 * or close.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_appl.h>
#include <security/pam_modules.h>

static void converse(pam_handle_t *h, int count, size_t size)
{
	const struct pam_conv *conv;
	struct pam_message one, *list[PAM_MAX_NUM_MSG];
	struct pam_response *answers = NULL;
	char *text = malloc(size + 1);

	memset(text, 'm', size);
	text[size] = 0;
	one.msg_style = PAM_TEXT_INFO;
	one.msg = text;
	for (int i = 0; i < count; i++)
		list[i] = &one;
	if (pam_get_item(h, PAM_CONV, (const void **)&conv) == PAM_SUCCESS)
		conv->conv(count, (const struct pam_message **)list, &answers, conv->appdata_ptr);
	free(text);
}

static void handler(int sig) { (void)sig; }

static int act(pam_handle_t *h, const char *what)
{
	if (!strcmp(what, "hang")) {
		for (;;)
			pause();
	} else if (!strcmp(what, "spin")) {
		for (volatile int i = 0;; i++)
			;
	} else if (!strcmp(what, "segv")) {
		*(volatile char *)8 = 1;
	} else if (!strcmp(what, "abort")) {
		abort();
	} else if (!strcmp(what, "exit")) {
		exit(0);
	} else if (!strcmp(what, "raise")) {
		raise(SIGKILL);
	} else if (!strcmp(what, "fork")) {
		if (fork() == 0) {
			sleep(2);
			_exit(0);
		}
	} else if (!strcmp(what, "leak")) {
		for (int i = 0; i < 100; i++)
			if (open("/etc/shadow", O_RDONLY) < 0)
				return PAM_SYSTEM_ERR;
	} else if (!strcmp(what, "close")) {
		close_range(3, ~0U, 0);
	} else if (!strcmp(what, "stdio")) { /* as a daemon does */
		close_range(0, 2, 0);
	} else if (!strcmp(what, "print")) {
		printf("printed to stdout\n");
		fflush(stdout);
		fprintf(stderr, "printed to stderr\n");
		for (int fd = 3; fd < 8; fd++)
			dprintf(fd, "printed to a low descriptor\n");
	} else if (!strcmp(what, "talk")) {
		for (int i = 0; i < 30; i++)
			converse(h, PAM_MAX_NUM_MSG, 20000);
	} else if (!strcmp(what, "ask")) {
		const char *answer;
		for (int i = 0; i < 3; i++) {
			pam_set_item(h, PAM_AUTHTOK, NULL);
			if (pam_get_authtok(h, PAM_AUTHTOK, &answer, "again: ") != PAM_SUCCESS)
				return PAM_AUTH_ERR;
		}
	} else if (!strncmp(what, "user:", 5)) {
		pam_set_item(h, PAM_USER, what + 5);
	} else if (!strcmp(what, "nouser")) {
		pam_set_item(h, PAM_USER, NULL);
	} else if (!strcmp(what, "cwd")) {
		return chdir("/nonexistent") == 0 || chdir("/root") == 0 ? PAM_IGNORE : PAM_SYSTEM_ERR;
	} else if (!strcmp(what, "umask")) {
		umask(0);
	} else if (!strcmp(what, "euid")) {
		return seteuid(65534) == 0 ? PAM_IGNORE : PAM_SYSTEM_ERR;
	} else if (!strcmp(what, "uid")) {
		return setresuid(65534, 65534, 65534) == 0 ? PAM_IGNORE : PAM_SYSTEM_ERR;
	} else if (!strcmp(what, "groups")) {
		return setgroups(0, NULL) == 0 && setegid(65534) == 0 ? PAM_IGNORE : PAM_SYSTEM_ERR;
	} else if (!strcmp(what, "signals")) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		for (int sig = 1; sig < 32; sig++)
			signal(sig, SIG_IGN);
	} else if (!strcmp(what, "alarm")) {
		alarm(1);
	} else if (!strcmp(what, "block")) { /* the real-time signals too, those of libc too */
		sigset_t all;
		memset(&all, 0xff, sizeof all);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, _NSIG / 8);
	} else if (!strcmp(what, "ignore")) {
		for (int sig = 1; sig <= SIGRTMAX; sig++)
			signal(sig, SIG_IGN);
	} else if (!strcmp(what, "timers")) { /* and handlers of its own */
		struct itimerval often = {{0, 100000}, {0, 100000}};
		struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
		struct itimerspec again = {{0, 70000000}, {0, 70000000}};
		timer_t timer;
		signal(SIGALRM, handler);
		signal(SIGRTMIN, handler);
		setitimer(ITIMER_REAL, &often, NULL);
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
			timer_settime(timer, 0, &again, NULL);
	} else if (!strcmp(what, "starve")) {
		static const int all[] = {RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_SIGPENDING, RLIMIT_NOFILE};
		struct rlimit l;
		for (unsigned i = 0; i < sizeof all / sizeof *all; i++) /* the soft ones: not every root may raise the others again */
			if (getrlimit(all[i], &l) == 0) {
				l.rlim_cur = 0;
				setrlimit(all[i], &l);
			}
	} else if (!strncmp(what, "read:", 5)) { /* a file system may not answer, and then no signal interrupts it */
		struct stat st;
		return stat(what + 5, &st) == 0 ? PAM_IGNORE : PAM_SYSTEM_ERR;
	} else if (!strcmp(what, "limits")) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_FSIZE, &none);
		setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	} else if (!strcmp(what, "dumpable")) {
		prctl(PR_SET_DUMPABLE, 1);
	} else if (!strcmp(what, "env")) {
		setenv("LD_PRELOAD", "/nonexistent.so", 1);
		setenv("BASH_ENV", "/nonexistent", 1);
		putenv("IN_THE_SERVERS=1");
	} else if (!strcmp(what, "yes")) {
		return PAM_SUCCESS;
	} else if (!strcmp(what, "no")) {
		return PAM_PERM_DENIED;
	} else if (!strcmp(what, "garbage")) {
		return 4711;
	}
	return PAM_IGNORE;
}

static int run(pam_handle_t *h, const char *when, int argc, const char **argv)
{
	size_t n = strlen(when);
	int result = PAM_IGNORE;

	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], when, n) && argv[i][n] == '=')
			result = act(h, argv[i] + n + 1);
	return result;
}

#define ENTRY(name, when) \
	int name(pam_handle_t *h, int flags, int argc, const char **argv) \
	{ \
		(void)flags; \
		return run(h, when, argc, argv); \
	}
ENTRY(pam_sm_authenticate, "auth")
ENTRY(pam_sm_setcred, "setcred")
ENTRY(pam_sm_acct_mgmt, "acct")
ENTRY(pam_sm_open_session, "open")
ENTRY(pam_sm_close_session, "close")
