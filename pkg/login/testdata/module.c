/*
 * A PAM module for the tests. Its arguments determine what it does:
 *
 *   record=FILE   append a line for every call: function, flags, user, rhost, tty, service
 *   fail=CALL     answer PAM_PERM_DENIED to that call (auth, setcred, acct, open, close)
 *   user=NAME     change PAM_USER in every call, or with at=CALL in that one
 *   lower         change PAM_USER to lower case, as pam_winbind's canonical names;
 *                 with at=CALL in that one
 *   prompts=N     ask for the password N times in auth
 *   want=TEXT     auth_err unless every answer is this text
 *   talk          say several things, and ask, in one call of the conversation
 *   binary        ask the question that Linux-PAM's binary protocol has
 *   say=N         say N long lines, then fail
 *   env=NAME=VALUE  set a variable of PAM's environment in open
 */
#include <security/pam_modules.h>
#include <security/pam_ext.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *option(int argc, const char **argv, const char *name)
{
	size_t n = strlen(name);
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], name, n) == 0 && (argv[i][n] == '=' || argv[i][n] == '\0'))
			return argv[i][n] == '=' ? argv[i] + n + 1 : "";
	return NULL;
}

static const char *item(pam_handle_t *pamh, int which)
{
	const void *value = NULL;
	return pam_get_item(pamh, which, &value) == PAM_SUCCESS && value != NULL ? value : "-";
}

static int converse(pam_handle_t *pamh, int n, const struct pam_message **msg, struct pam_response **resp)
{
	const void *conv = NULL;
	if (pam_get_item(pamh, PAM_CONV, &conv) != PAM_SUCCESS || conv == NULL)
		return PAM_CONV_ERR;
	return ((const struct pam_conv *)conv)->conv(n, msg, resp, ((const struct pam_conv *)conv)->appdata_ptr);
}

static int talk(pam_handle_t *pamh, const char *want)
{
	static const struct pam_message m[] = {
		{PAM_TEXT_INFO, "first"}, {PAM_PROMPT_ECHO_ON, "login: "}, {PAM_ERROR_MSG, "second"}, {PAM_PROMPT_ECHO_OFF, "Password: "}, {PAM_TEXT_INFO, "third"},
	};
	const struct pam_message *msg[] = {&m[0], &m[1], &m[2], &m[3], &m[4]};
	struct pam_response *resp = NULL;
	int ok, status = converse(pamh, 5, msg, &resp);
	if (status != PAM_SUCCESS)
		return status;
	ok = strcmp(resp[1].resp, item(pamh, PAM_USER)) == 0 && want != NULL && strcmp(resp[3].resp, want) == 0;
	for (int i = 0; i < 5; i++)
		free(resp[i].resp);
	free(resp);
	return ok ? PAM_SUCCESS : PAM_AUTH_ERR;
}

static int run(pam_handle_t *pamh, const char *call, int flags, int argc, const char **argv)
{
	const char *value, *at = option(argc, argv, "at");
	if ((value = option(argc, argv, "record")) != NULL) {
		FILE *f = fopen(value, "a");
		if (f == NULL)
			return PAM_SYSTEM_ERR;
		fprintf(f, "%s %#x %s %s %s %s\n", call, flags, item(pamh, PAM_USER), item(pamh, PAM_RHOST), item(pamh, PAM_TTY), item(pamh, PAM_SERVICE));
		fclose(f);
	}
	if (option(argc, argv, "lower") != NULL && (at == NULL || strcmp(at, call) == 0)) {
		char *name = strdup(item(pamh, PAM_USER));
		if (name == NULL)
			return PAM_BUF_ERR;
		for (char *c = name; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		pam_set_item(pamh, PAM_USER, name);
		free(name);
	}
	if ((value = option(argc, argv, "user")) != NULL && (at == NULL || strcmp(at, call) == 0))
		pam_set_item(pamh, PAM_USER, value);
	if ((value = option(argc, argv, "env")) != NULL && strcmp(call, "open") == 0)
		pam_putenv(pamh, value);
	if ((value = option(argc, argv, "say")) != NULL)
		for (int i = atoi(value); i > 0; i--)
			pam_error(pamh, "line %d %0400d", i, i);
	if ((value = option(argc, argv, "fail")) != NULL && strcmp(value, call) == 0)
		return PAM_PERM_DENIED;
	return PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const char *want = option(argc, argv, "want"), *prompts = option(argc, argv, "prompts");
	int status = run(pamh, "auth", flags, argc, argv);
	if (status != PAM_SUCCESS)
		return status;
	if (option(argc, argv, "talk") != NULL)
		return talk(pamh, want);
	if (option(argc, argv, "binary") != NULL) {
		const struct pam_message m = {7 /* PAM_BINARY_PROMPT */, "\0\0\0\5"}, *msg = &m;
		struct pam_response *resp = NULL;
		return converse(pamh, 1, &msg, &resp);
	}
	for (int i = prompts != NULL ? atoi(prompts) : 0; i > 0; i--) {
		char *answer = NULL;
		if (pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &answer, "Password: ") != PAM_SUCCESS || answer == NULL)
			return PAM_CONV_ERR;
		status = want == NULL || strcmp(answer, want) == 0 ? PAM_SUCCESS : PAM_AUTH_ERR;
		free(answer);
		if (status != PAM_SUCCESS)
			return status;
	}
	return PAM_SUCCESS;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv) { return run(pamh, "setcred", flags, argc, argv); }
int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv) { return run(pamh, "acct", flags, argc, argv); }
int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv) { return run(pamh, "open", flags, argc, argv); }
int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv) { return run(pamh, "close", flags, argc, argv); }
