package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rexecd/pkg/settings"
)

const (
	relayUser = "rexec-tls"        // the account of rexec-tlsd
	tlsUnit   = "rexec-tls.socket" // on a port of its own, beside the others
	aboutTLS  = topic("tls")
	// warnBefore is how long before its last day a certificate is reported.
	warnBefore = 30 * 24 * time.Hour
)

// installTLS is -install tls. What it cannot make, the certificate, it asks for.
func installTLS(out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: run sudo rexecd -install tls")
	}
	set, _, err := settings.ReadServer("")
	if err != nil {
		return err
	}
	for _, f := range checkCertificate(&set.TLS) {
		if f.Level == fail {
			return fmt.Errorf("%s; nothing was changed", f.Text)
		}
	}
	if getent("passwd", relayUser) == nil {
		made := exec.Command("useradd", "--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", relayUser)
		if text, err := made.CombinedOutput(); err != nil {
			return fmt.Errorf("make the account %s: %w: %s", relayUser, err, strings.TrimSpace(string(text)))
		}
		fmt.Fprintf(out, "made the account %s\n", relayUser)
	}
	if !systemdRuns() {
		server, err := handler()
		if err != nil {
			return err
		}
		return fmt.Errorf("systemd does not run here: add to inetd.conf the line \"10512 stream tcp nowait root %s in.rexecd -tls\"", server)
	}
	if unitIs("active", tlsUnit) && unitIs("enabled", tlsUnit) {
		fmt.Fprintf(out, "nothing to do: %s is enabled and listens\n", tlsUnit)
		return nil
	}
	if err := systemctl("enable", "--now", tlsUnit); err != nil {
		return err
	}
	fmt.Fprintf(out, "enabled and started %s\n", tlsUnit)
	return nil
}

// checkTLS looks at what TLS needs, where it is in use: its socket is on, or there is a
// certificate.
func (o options) checkTLS() []finding {
	set, _, err := settings.ReadServer(o.config)
	if err != nil {
		return nil // reported by checkSettings
	}
	on := o.config == "" && systemdRuns() && (unitIs("active", tlsUnit) || unitIs("enabled", tlsUnit))
	if !on && !exists(set.TLS.Certificate) && set.TLS == settings.DefaultServer().TLS {
		return nil
	}
	found := checkCertificate(&set.TLS)
	if o.config == "" && getent("passwd", relayUser) == nil {
		found = append(found, aboutTLS.fail("there is no account %q, which rexec-tlsd runs as: rexecd -install tls makes it", relayUser))
	}
	if !on && o.config == "" {
		found = append(found, aboutTLS.note("%s is off: rexecd -install tls starts it", tlsUnit))
	}
	return found
}

func status(file string) (*syscall.Stat_t, bool) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

// checkCertificate has rexec-tlsd read the files, as it would for a connection: this
// program holds nothing of TLS.
func checkCertificate(set *settings.TLS) []finding {
	own, err := handler()
	if err != nil {
		return []finding{aboutTLS.fail("%v", err)}
	}
	relay := filepath.Join(filepath.Dir(own), "rexec-tlsd")
	out, err := exec.Command(relay, "-show", set.Certificate, set.Key, set.ClientCA).Output()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return []finding{aboutTLS.fail("%s", strings.TrimSpace(string(failed.Stderr)))}
	case err != nil:
		return []finding{aboutTLS.fail("%v: install it beside rexecd", err)}
	}
	names, last, _ := strings.Cut(strings.TrimSpace(string(out)), "\t")
	day, err := time.Parse(time.DateOnly, last)
	var found []finding
	switch left := time.Until(day); {
	case err != nil:
		return []finding{aboutTLS.fail("%s -show printed %q", relay, out)}
	case left < -24*time.Hour:
		found = append(found, aboutTLS.fail("%s is for %s; its last day was %s: clients refuse it", set.Certificate, names, last))
	case left < warnBefore:
		found = append(found, aboutTLS.note("%s is for %s; its last day is %s: renew it (no restart is needed)", set.Certificate, names, last))
	default:
		found = append(found, aboutTLS.ok("%s is for %s; its last day is %s", set.Certificate, names, last))
	}
	for _, file := range []string{set.Certificate, set.Key, set.ClientCA} { // as package relay has it
		if st, ok := status(file); ok && st.Uid != 0 {
			found = append(found, aboutTLS.fail("%s belongs to user %d: chown root", file, st.Uid))
		} else if ok && file != set.Key && st.Mode&0o002 != 0 {
			found = append(found, aboutTLS.fail("%s has mode %#o: anybody can put another in its place", file, st.Mode&0o777))
		}
	}
	if st, err := os.Stat(set.Key); err == nil && st.Mode().Perm()&0o077 != 0 {
		how := note // a group of its own may be meant
		if st.Mode().Perm()&0o027 != 0 {
			how = fail
		}
		found = append(found, aboutTLS.find(how, "%s has mode %#o: chmod 600 keeps the key to root", set.Key, st.Mode().Perm()))
	}
	return found
}
