/* traced: ends with status 7 while a child of its own traces it and never looks. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(void)
{
	int go[2], ready[2];
	char byte;
	pid_t child;

	if (pipe(go) != 0 || pipe(ready) != 0 || (child = fork()) < 0)
		return 1;
	if (child == 0) {
		close(0), close(1), close(2);
		alarm(60);
		if (read(go[0], &byte, 1) != 1 || ptrace(PTRACE_SEIZE, getppid(), 0, 0) != 0)
			_exit(1);
		(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	prctl(PR_SET_PTRACER, child, 0, 0, 0); /* where Yama has a say */
	(void)!write(go[1], "", 1);
	return read(ready[0], &byte, 1) == 1 ? 7 : 1;
}
