/*
 * headless: a process whose first thread has ended and whose second runs on. To
 * proc(5) it is a zombie, and has two threads.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *stay(void *arg)
{
	sleep(1000);
	return arg;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, stay, NULL) != 0)
		return 1;
	syscall(SYS_exit, 0);
	return 0;
}
