package main

const usage = `usage: rexec [options] host [options] command [arg...]

who to be
  -l, --user NAME          user on the host
  -p, --password WORD      password ("-": first line of standard input); anyone
                           who can list processes may see it for a moment
      --password-file F    first line of F is the password
  -n, --prompt             ask: neither environment nor .netrc
  -B, --batch              never ask

connections
  -P, --port N             port of the server (512)
  -4, --ipv4  -6, --ipv6   only this family of addresses
  -a, --no-stderr          one connection: standard error comes mixed into
                           output, no signals
      --stderr yes|no|auto auto: with one connection if the second fails
      --stderr-port N[-M]  ports the second connection may come in on
  -t, --connect-timeout T  limit until the command runs (60): seconds, or 1m30s
  -T, --timeout T          limit for all (none)
  -q, --quirk LIST         no-status late-stderr status-on-primary bsd-signals

input, signals, status
  -i, --no-input           do not read standard input
  -N, --null-input         the command's input is empty
  -s, --no-signals         signals end rexec here and are not passed on
      --status             exit with the command's exit status
  -d, --trace              show each step (never the password)
  -V, --version   -h, --help

examples
  rexec host uname -a
  rexec rs60002 -l paul ls -ls
  rexec --status -l root host 'cd /srv && make' && echo built
  tar c . | rexec host 'tar x -C /tmp'
  REXEC_USER=op pdsh -S -R exec -w host[1-40] rexec --status %h uptime

Without --status: 0 done, 1 refused by the server, 255 not connected or broken,
128+n ended by signal n here. User and password, in this order: options,
REXEC_USER and REXEC_PASS, .netrc, the terminal. More in rexec(1).
`
