#ifndef REXECD_LOGIN_DELAY_H
#define REXECD_LOGIN_DELAY_H

#include <security/pam_appl.h>

int login_take_delay(pam_handle_t *pamh);

#endif
