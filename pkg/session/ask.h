#ifndef REXECD_SESSION_ASK_H
#define REXECD_SESSION_ASK_H

#include <sys/types.h>

enum ask {
	ASK_SIGNALS, /* what has arrived on a connection, at most ASK_BYTES */
	ASK_PROBES,  /* keepalive probes that find a lost peer within a minute */
};
enum answer { ANSWER_END, ANSWER_NOTHING, ANSWER_BYTES, ANSWER_DONE };
enum { ASK_BYTES = 64 };

/*
 * Starts a process that asks this of a socket and writes its answer to out, a
 * pipe, at once: one byte, then the bytes that arrived. Returns the process's id,
 * or -1 with errno. It is waited for with __WALL.
 */
pid_t session_ask(enum ask what, int fd, int out);

#endif
