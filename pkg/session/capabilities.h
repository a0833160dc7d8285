#ifndef REXECD_SESSION_CAPABILITIES_H
#define REXECD_SESSION_CAPABILITIES_H

#include <stdint.h>

/* From now on each thread that gets the signal this returns keeps, of its capabilities, those of the mask. -1 on error. */
int session_cut_on_signal(uint64_t keep);

/* The same for the calling thread. -1 with the errno of the first step that failed; the others were done. */
int session_cut(void);

#endif
