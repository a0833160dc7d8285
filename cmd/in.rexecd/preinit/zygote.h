#include <stddef.h>

#pragma GCC visibility push(hidden)

/* A message to the supervisor. */
void zygote_say(const char *text, size_t size);

/* The last one: why there will be no zygote. */
void zygote_give_up(const char *why) __attribute__((noreturn));

/* Loads what the handlers of a PAM service need; gives up where that cannot be forked. */
void zygote_load(const char *service);

/* Says that it is ready. */
void zygote_report(void);

#pragma GCC visibility pop
