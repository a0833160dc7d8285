#ifndef REXECD_SESSION_CAPABILITIES_H
#define REXECD_SESSION_CAPABILITIES_H

#include <stdint.h>

/*
 * Returns a signal, or -1 with errno: from now on each thread that gets it keeps,
 * of its capabilities, those in the mask.
 */
int session_cut_on_signal(uint64_t keep);

/*
 * Does the same for the calling thread. -1 with the errno of the first step that
 * failed; the others were done.
 */
int session_cut(void);

#endif
