package main

const usage = `usage: rexec [options] host [options] command [arg...]

credentials
  -l, --user NAME          user on the host
  -p, --password WORD      password ("-": first line of standard input); other
                           users may see it for a moment
      --password-file F    the first line of F is the password
  -n, --prompt             ask; ignore the environment and .netrc
  -B, --batch              never ask

connections
  -P, --port N             port of the server (512)
  -4, --ipv4  -6, --ipv6   only this family of addresses
      --tls                TLS, on port 10512 unless -P says otherwise
      --tls-ca F           authorities for the server's certificate, in place of
                           the system's
      --tls-name N         name in the server's certificate, if not the host's
      --tls-cert F  --tls-key F
                           show this certificate
  -a, --no-stderr          one connection: standard error is mixed into the
                           output, no signals
      --stderr yes|no|auto auto: use one connection if the second fails
      --stderr-from any|ADDR|NET[,...]
                           accept the second connection from there, too
      --stderr-port N[-M]  ports for the second connection
  -t, --connect-timeout T  limit until the command runs (60): seconds, or 1m30s
  -T, --timeout T          limit for the entire run (none)
  -q, --quirk LIST         no-status late-stderr status-on-primary
                           status-on-stderr bsd-signals

input, signals, status
  -c, --keep-input-open    send the input, but not its end
  -i, --no-input           do not read standard input
  -N, --null-input         the command's input is empty
  -s, --no-signals         signals end rexec and are not passed on
  -b, --rsh-signals        pass on INT, QUIT and TERM only
      --status             exit with the command's exit status
  -d, --trace              show each step (never the password)
  -V, --version   -h, --help

examples
  rexec host uname -a
  rexec rs60002 -l paul ls -ls
  rexec --status -l root host 'cd /srv && make' && echo built
  tar c . | rexec host 'tar x -C /tmp'
  REXEC_USER=op pdsh -S -R exec -w host[1-40] rexec --status %h uptime

Exit status without --status: 0 done, 1 refused by the server, 255 no connection
or a broken one, 128+n rexec received signal n. User and password are taken from
options, REXEC_USER and REXEC_PASS, .netrc or the terminal. More in rexec(1).
`
