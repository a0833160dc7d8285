#ifndef REXECD_LOGIN_DELAY_H
#define REXECD_LOGIN_DELAY_H

#include <security/pam_appl.h>

int login_take_delay(pam_handle_t *pamh);
unsigned login_delay(void);

#endif
