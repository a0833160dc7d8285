package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"golang.org/x/sys/unix"

	"rexecd/pkg/penalty"
)

// defaultConfig may be absent: then every setting has its default.
const defaultConfig = "/etc/rexecd.toml"

// service is the PAM service name: /etc/pam.d/rexec, as everywhere.
const service = "rexec"

// config is what in.rexecd makes of its settings file.
type config struct {
	Grace                                                                                                     time.Duration
	PermitRoot, PermitEmptyPassword, LogCommand, LoginShell, NoStderr, NoKeepAlive, HangupOnLoss, CloseOnExit bool
	StderrMinPort                                                                                             int
	KeepCapabilities                                                                                          *uint64
	Penalties                                                                                                 *penalty.Table
}

// A setting is one key of rexecd.toml(5).
type setting struct {
	key     string
	allowed string // for the error
	set     func(s *config, value any) bool
}

var settings = []setting{
	{"grace", "a number of seconds from 1 to 3600", number(1, 3600, func(s *config, n int) { s.Grace = time.Duration(n) * time.Second })},
	{"permit_root", "true or false", boolean(func(s *config) *bool { return &s.PermitRoot })},
	{"permit_empty_password", "true or false", boolean(func(s *config) *bool { return &s.PermitEmptyPassword })},
	{"log_command", "true or false", boolean(func(s *config) *bool { return &s.LogCommand })},
	{"login_shell", "true or false", boolean(func(s *config) *bool { return &s.LoginShell })},
	{"stderr_min_port", "a port number from 1 to 65535", number(1, 65535, func(s *config, n int) { s.StderrMinPort = n })},
	{"stderr", `"yes" or "no"`, choice("yes", "no", func(s *config) *bool { return &s.NoStderr })},
	{"keepalive", "true or false", func(s *config, v any) bool {
		on, ok := v.(bool)
		s.NoKeepAlive = !on
		return ok
	}},
	{"on_disconnect", `"continue" or "hangup"`, choice("continue", "hangup", func(s *config) *bool { return &s.HangupOnLoss })},
	{"close_on_exit", "true or false", boolean(func(s *config) *bool { return &s.CloseOnExit })},
	{"keep_capabilities", `"all" or a list of capabilities, which are ` + strings.Join(capabilityNames[:], ", "), keepCapabilities},
}

func boolean(field func(*config) *bool) func(*config, any) bool {
	return func(s *config, v any) (ok bool) {
		*field(s), ok = v.(bool)
		return ok
	}
}

func number(least, most int64, set func(*config, int)) func(*config, any) bool {
	return func(s *config, v any) bool {
		n, ok := v.(int64)
		if ok = ok && least <= n && n <= most; ok {
			set(s, int(n))
		}
		return ok
	}
}

// choice is a setting of two words, the first the default.
func choice(off, on string, field func(*config) *bool) func(*config, any) bool {
	return func(s *config, v any) bool {
		*field(s) = v == on
		return v == on || v == off
	}
}

// readSettings reads the settings file, by default the one that may be absent.
func readSettings(file string) (*config, error) {
	s := &config{Grace: 60 * time.Second, StderrMinPort: 1024, Penalties: penalty.Default()}
	named := file != ""
	if !named {
		file = defaultConfig
	}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return nil, err
	default:
		if err := apply(s, string(text)); err != nil {
			return nil, fmt.Errorf("%s:%w", file, err)
		}
	}
	return s, nil
}

// apply applies the text of a settings file. Its errors begin with the line.
func apply(s *config, text string) error {
	if !setsAnything(text) { // as shipped
		return nil
	}
	values := map[string]any{}
	if _, err := toml.Decode(text, &values); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return fmt.Errorf("%d: %s", syntax.Position.Line, syntax.Message)
		}
		return fmt.Errorf("1: %w", err)
	}
	if err := applyPenalties(s, values, text); err != nil {
		return err
	}
	for _, known := range settings {
		value, ok := values[known.key]
		if ok && !known.set(s, value) {
			return fmt.Errorf("%d: %s = %s: must be %s", lineOf(text, known.key), known.key, known.wrong(value), known.allowed)
		}
		delete(values, known.key)
	}
	var unknown []string
	for key := range values {
		unknown = append(unknown, key)
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.SortFunc(unknown, func(a, b string) int { return lineOf(text, a) - lineOf(text, b) })
	var keys []string
	for _, known := range settings {
		keys = append(keys, known.key)
	}
	keys = append(keys, "[penalties]")
	return fmt.Errorf("%d: unknown setting %q: the settings are %s", lineOf(text, unknown[0]), unknown[0], strings.Join(keys, ", "))
}

// lineOf is the line that sets a key, or opens the table of that name; the decoder does not tell.
func lineOf(text, key string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		name, _, _ := strings.Cut(strings.TrimLeft(line, " \t["), "=")
		name, _, _ = strings.Cut(name, "]")
		name, _, _ = strings.Cut(name, ".")
		if strings.Trim(name, " \t\r\n'\"") == key {
			return n
		}
	}
	return 1
}

// wrong is a refused value as it would stand in the file; of a list, the element that is refused.
func (known setting) wrong(v any) string {
	list, _ := v.([]any)
	for _, v := range list {
		if !known.set(&config{}, []any{v}) {
			return "[" + written(v) + "]"
		}
	}
	return written(v)
}

// written is a value as it would stand in the file.
func written(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case map[string]any:
		return "a table"
	}
	return fmt.Sprint(v)
}

// setsAnything tells whether a settings file has a line that is not a comment.
func setsAnything(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return true
		}
	}
	return false
}

// A penaltySetting is one key of the table [penalties] of rexecd.toml(5).
type penaltySetting struct {
	key     string
	allowed string // for the error
	set     func(t *penalty.Table, value any) bool
}

var penaltySettings = []penaltySetting{
	{"enabled", "true or false", func(_ *penalty.Table, v any) bool { _, ok := v.(bool); return ok }},
	{"authfail", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.AuthFail] })},
	{"noauth", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.NoAuth] })},
	{"grace_exceeded", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.GraceExceeded] })},
	{"protocol", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.Protocol] })},
	{"min", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Min })},
	{"max", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Max })},
	{"exempt", `a list of addresses and networks, such as ["192.0.2.7", "2001:db8::/32"]`, exempt},
	{"ipv4_bits", "a number of bits from 8 to 32", prefixBits(8, 32, func(t *penalty.Table) *int { return &t.Bits4 })},
	{"ipv6_bits", "a number of bits from 16 to 128", prefixBits(16, 128, func(t *penalty.Table) *int { return &t.Bits6 })},
}

const seconds = "a number of seconds from 0 to 86400"

func amount(field func(*penalty.Table) *time.Duration) func(*penalty.Table, any) bool {
	return func(t *penalty.Table, v any) bool {
		n, ok := v.(int64)
		*field(t) = time.Duration(n) * time.Second
		return ok && 0 <= n && n <= 86400
	}
}

func prefixBits(least, most int64, field func(*penalty.Table) *int) func(*penalty.Table, any) bool {
	return func(t *penalty.Table, v any) bool {
		n, ok := v.(int64)
		*field(t) = int(n)
		return ok && least <= n && n <= most
	}
}

func exempt(t *penalty.Table, v any) bool {
	list, ok := v.([]any)
	for _, v := range list {
		text, _ := v.(string)
		network, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return false
			}
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		if addr := network.Addr(); addr.Is4In6() { // peers are IPv4 when they are
			if network.Bits() < 96 {
				return false
			}
			network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
		}
		t.Exempt = append(t.Exempt, network.Masked())
	}
	return ok
}

// applyPenalties applies the table [penalties] and takes it out of the values.
// Its errors begin with the line.
func applyPenalties(s *config, values map[string]any, text string) error {
	value, ok := values["penalties"]
	if !ok {
		return nil
	}
	delete(values, "penalties")
	given, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%d: penalties = %s: must be a table, [penalties]", lineOf(text, "penalties"), written(value))
	}
	// Keys have the same names as others outside the table: their lines are looked for behind its head.
	before, table, found := strings.Cut(text, "[penalties]")
	line := func(key string) int {
		if found {
			return strings.Count(before, "\n") + lineOf(table, key)
		}
		return lineOf(text, "penalties")
	}
	var keys []string
	for _, known := range penaltySettings {
		keys = append(keys, known.key)
		v, ok := given[known.key]
		if ok && !known.set(s.Penalties, v) {
			return fmt.Errorf("%d: %s = %s: must be %s", line(known.key), known.key, written(v), known.allowed)
		}
	}
	for key := range given {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("%d: unknown setting %q in [penalties]: the settings are %s", line(key), key, strings.Join(keys, ", "))
		}
	}
	if on, ok := given["enabled"].(bool); ok && !on {
		s.Penalties = nil
		return nil
	}
	if p := s.Penalties; p.Max <= p.Min {
		key := "max"
		if _, ok := given[key]; !ok {
			key = "min"
		}
		return fmt.Errorf("%d: max = %d, min = %d: max must be more than min, or nobody is ever made to wait: that is enabled = false",
			line(key), p.Max/time.Second, p.Min/time.Second)
	}
	return nil
}

// capabilityNames are those of capabilities(7), each at its number.
var capabilityNames = [unix.CAP_LAST_CAP + 1]string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid", "cap_setuid",
	"cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin", "cap_net_raw", "cap_ipc_lock",
	"cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin",
	"cap_sys_boot", "cap_sys_nice", "cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease",
	"cap_audit_write", "cap_audit_control", "cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm",
	"cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
}

// keepCapabilities is the setting of that name.
func keepCapabilities(s *config, v any) bool {
	if v == "all" {
		return true
	}
	names, ok := v.([]any)
	var keep uint64
	for _, v := range names {
		name, _ := v.(string)
		n := slices.Index(capabilityNames[:], name)
		if n < 0 {
			return false
		}
		keep |= 1 << n
	}
	s.KeepCapabilities = &keep
	return ok
}
