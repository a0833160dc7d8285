#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel shows the memory that it laid argv out in, from its first byte, as
 * /proc/PID/cmdline; if the last byte of argv is not NUL any more, it goes on into
 * that of the environment, which follows, to the first NUL. */
static char *area;
static size_t area_size, argv_size;

/* Before anything changes the environment: setenv and unsetenv move pointers. */
__attribute__((constructor(104))) static void find_area(int argc, char **argv, char **envp)
{
#ifdef __GLIBC__ /* others pass no arguments to a constructor */
	char *end;
	int i;

	if (argc < 1 || argv[0] == NULL)
		return;
	area = end = argv[0];
	for (i = 0; i < argc && argv[i] == end; i++)
		end += strlen(end) + 1;
	argv_size = (size_t)(end - area);
	if (i == argc)
		for (i = 0; envp[i] == end; i++)
			end += strlen(end) + 1;
	area_size = (size_t)(end - area);
#else
	(void)argc, (void)argv, (void)envp;
#endif
}

/* PAM's modules go on reading the environment: it moves to memory of our own. */
static int move_environment(void)
{
	size_t n, size = 0;
	char **moved, *at;

	for (n = 0; environ != NULL && environ[n] != NULL; n++)
		if (environ[n] >= area && environ[n] < area + area_size)
			size += strlen(environ[n]) + 1;
	moved = malloc((n + 1) * sizeof *moved + size);
	if (moved == NULL)
		return -1;
	at = (char *)(moved + n + 1);
	moved[n] = NULL;
	while (n-- > 0) {
		moved[n] = environ[n];
		if (moved[n] >= area && moved[n] < area + area_size) {
			size = strlen(environ[n]) + 1;
			moved[n] = memcpy(at, environ[n], size);
			at += size;
		}
	}
	environ = moved;
	return 0;
}

int set_title(const char *text, size_t size)
{
	static int moved;
	size_t end;

	if (area_size < 2 || (!moved && move_environment() != 0))
		return -1;
	moved = 1;
	if (size > area_size - 1)
		size = area_size - 1;
	end = size < argv_size ? argv_size : size + 1;
	memcpy(area, text, size);
	memset(area + size, 0, end - size);
	return 0;
}
