#ifndef REXECD_SESSION_STOP_H
#define REXECD_SESSION_STOP_H

/* Installs the handler for SIGTERM, SIGINT and SIGHUP, which writes the signal's
 * number into fd, a pipe. Returns 0, or -1 with errno. */
int session_catch_stop(int fd);

#endif
