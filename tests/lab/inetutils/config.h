/* What GNU inetutils' ./configure and gnulib find on Debian, as far as rexec, rsh and their
 * servers ask. */
#ifndef INETUTILS_CONFIG_H
#define INETUTILS_CONFIG_H
#define _GNU_SOURCE 1
#define HAVE_CONFIG_H 1
#define HAVE_CRYPT_H 1
#define HAVE_DECL_GETNAMEINFO 1
#define HAVE_FORK 1
#define HAVE_GETPWNAM_R 1
#define HAVE_INITGROUPS 1
#define HAVE_NETINET_IN_SYSTM_H 1
#define HAVE_NETINET_IP_H 1
#define HAVE_SETPGID 1
#define HAVE_SHADOW_H 1
#define HAVE_SIGACTION 1
#define PACKAGE_BUGREPORT "nobody"
#define PATH_BSHELL "/bin/sh"
#define PATH_DEFPATH "/usr/bin:/bin"
#define PATH_NOLOGIN "/etc/nologin"
#define PATH_RLOGIN "/usr/bin/rlogin"
#define MAYBE_UNUSED __attribute__((unused))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define WITH_IRUSEROK_AF 1
#define xmalloc malloc
#define set_program_name(name)
#define argp_version_setup(name, authors)
#endif
