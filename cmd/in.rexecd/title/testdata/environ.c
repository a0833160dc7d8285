/* Prints the variable that it is asked for, as PAM's modules find it, before and
 * after the title has taken the place of what the kernel laid out. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int set_title(const char *text, size_t size);

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? strdup(argv[1]) : "";
	const char *value;
	char title[4000];

	setenv("LATE", "yes", 1);
	unsetenv("GONE");
	memset(title, 'x', sizeof title);
	if (set_title(title, sizeof title) != 0 || set_title(title, 20) != 0)
		return 1;
	value = getenv(name);
	printf("%s %s %s\n", value == NULL ? "(none)" : value, getenv("LATE"), getenv("GONE") == NULL ? "gone" : "there");
	return 0;
}
