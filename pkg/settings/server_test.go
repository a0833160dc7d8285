package settings

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// decodeServer decodes a text as the file FILE.
func decodeServer(text string) (*Server, Sources, error) {
	s, from := DefaultServer(), Sources{}
	err := from.decode("FILE", []byte(text), s.keys())
	if err == nil {
		err = s.Penalties.check(from)
	}
	return s, from, err
}

func TestEverySettingOfTheServerIsApplied(t *testing.T) {
	for _, tt := range []struct {
		text string
		want func(s *Server)
	}{
		{"", func(*Server) {}},
		{"# nothing\n\n", func(*Server) {}},
		{"grace = 1", func(s *Server) { s.Grace = time.Second }},
		{"grace = 3600", func(s *Server) { s.Grace = time.Hour }},
		{"grace = 0x1_e", func(s *Server) { s.Grace = 30 * time.Second }},
		{"grace = +30", func(s *Server) { s.Grace = 30 * time.Second }},
		{`grace = "30s"`, func(s *Server) { s.Grace = 30 * time.Second }},
		{`grace = "1m30s"`, func(s *Server) { s.Grace = 90 * time.Second }},
		{`grace = "1h"`, func(s *Server) { s.Grace = time.Hour }},
		{`refusal_delay = "500ms"`, func(s *Server) { s.RefusalDelay = time.Second / 2 }},
		{`refusal_delay = 60`, func(s *Server) { s.RefusalDelay = time.Minute }},
		{"sessions = 7\nsessions_per_user = 1", func(s *Server) { s.Sessions, s.SessionsPerUser = 7, 1 }},
		{"[guest]\naccounts = ['a', 'b']\nfrom = ['192.0.2.0/24', '::1']\nname = 'g'\npermit_password_accounts = true", func(s *Server) {
			from := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::1/128")}
			s.Guest = Guest{"g", []string{"a", "b"}, from, true}
		}},
		{"exit = '/etc/rexec/validate'\nexit_user = 'rexecexit'", func(s *Server) { s.Exit, s.ExitUser = "/etc/rexec/validate", "rexecexit" }},
		{"trace = ['192.0.2.7']", func(s *Server) { s.Trace = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")} }},
		{"fold_user = true", func(s *Server) { s.FoldUser = true }},
		{`domain_user = 'EXAMPLE\%u'`, func(s *Server) { s.DomainUser = `EXAMPLE\%u` }},
		{`domain_user = "%u@example.com"`, func(s *Server) { s.DomainUser = "%u@example.com" }},
		{"permit_root = true", func(s *Server) { s.PermitRoot = true }},
		{"permit_root = false", func(*Server) {}},
		{"permit_empty_password = true", func(s *Server) { s.PermitEmptyPassword = true }},
		{"log_command = true", func(s *Server) { s.LogCommand = true }},
		{"login_shell = true", func(s *Server) { s.LoginShell = true }},
		{"stderr_min_port = 1", func(s *Server) { s.Stderr.MinPort = 1 }},
		{"stderr_min_port = 65535", func(s *Server) { s.Stderr.MinPort = 65535 }},
		{"stderr = \"no\"", func(s *Server) { s.Stderr.Allow = false }},
		{"stderr = \"yes\"", func(*Server) {}},
		{"stderr_own_host = true", func(s *Server) { s.Stderr.OwnHost = true }},
		{"keepalive = false", func(s *Server) { s.KeepAlive = KeepAlive{} }},
		{"keepalive = true", func(s *Server) { s.KeepAlive = KeepAlive{Enabled: true} }},
		{"keepalive = 1", func(s *Server) { s.KeepAlive = KeepAlive{true, time.Second} }},
		{"keepalive = \"2h\"", func(s *Server) { s.KeepAlive = KeepAlive{true, 2 * time.Hour} }},
		{"on_disconnect = \"hangup\"", func(s *Server) { s.OnDisconnect = Hangup }},
		{"on_disconnect = '''continue'''", func(*Server) {}},
		{"close_on_exit = true", func(s *Server) { s.CloseOnExit = true }},
		{"keep_capabilities = \"all\"", func(*Server) {}},
		{"keep_capabilities = []", func(s *Server) { s.KeepCapabilities = 0 }},
		{"keep_capabilities = [\"cap_chown\", \"cap_checkpoint_restore\"]", func(s *Server) { s.KeepCapabilities = 1 | 1<<40 }},
		{"keep_capabilities = [\n 'cap_sys_admin', # pam_namespace\n]\n", func(s *Server) { s.KeepCapabilities = 1 << 21 }},
		{"grace=5\r\n\"permit_root\" = true # yes\r\n[penalties]\r\nmin = 1", func(s *Server) { s.Grace, s.PermitRoot, s.Penalties.Min = 5*time.Second, true, time.Second }},
		{"\ufeffgrace = 5\n", func(s *Server) { s.Grace = 5 * time.Second }},
		{"\ufeff# nothing\n", func(*Server) {}},
		{"[penalties]\nauthfail = 7\nnoauth = 0\ngrace_exceeded = \"8s\"\nprotocol = 86400\nmin = \"1m\"\nmax = \"24h\"\nipv4_bits = 24\nipv6_bits = 56", func(s *Server) {
			s.Penalties = Penalties{Enabled: true, AuthFail: 7 * time.Second, GraceExceeded: 8 * time.Second,
				Protocol: 24 * time.Hour,
				Min:      time.Minute, Max: 24 * time.Hour, IPv4Bits: 24, IPv6Bits: 56}
		}},
		{"penalties = { enabled = false }", func(s *Server) { s.Penalties.Enabled = false }},
		{"penalties.enabled = false\npenalties.max = 1", func(s *Server) { s.Penalties.Enabled, s.Penalties.Max = false, time.Second }},
		{"[penalties]\nexempt = [\"192.0.2.7\", \"10.0.0.0/8\",\n\"2001:db8::/32\"]\nshared = ['::1', '0.0.0.0/0']", func(s *Server) {
			s.Penalties.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"),
				netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
			s.Penalties.Shared = []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("0.0.0.0/0")}
		}},
	} {
		want := DefaultServer()
		tt.want(want)
		if got, _, err := decodeServer(tt.text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %+v; want %+v", tt.text, err, got, want)
		}
	}
}

func TestAWrongSettingNamesItsPlaceItselfItsValueAndWhatIsAllowed(t *testing.T) {
	const (
		grace        = `a time from 1s to 1h, as in 30 (seconds) or "1m30s"`
		port         = "a port number from 1 to 65535"
		capabilities = "\"all\" or a list of capabilities, which are cap_chown, cap_dac_override, "
	)
	for _, tt := range []struct{ text, want string }{
		{"grace = 0", "1:9: grace = 0: must be " + grace},
		{"grace = 3601", "1:9: grace = 3601: must be " + grace},
		{"grace = -5", "1:9: grace = -5: must be " + grace},
		{"grace = 9223372036854775807", "1:9: grace = 9223372036854775807: must be " + grace},
		{"grace = 9223372036854775808", "1:9: grace = 9223372036854775808: must be " + grace},
		{"grace = 0xffffffffffffffffff", "1:9: grace = 0xffffffffffffffffff: must be " + grace},
		{"grace = 18446744103", "1:9: grace = 18446744103: must be " + grace}, // in nanoseconds, 29 s more than 64 bits hold
		{"grace = 1" + strings.Repeat("0", 1000), "1:9: grace = 1" + strings.Repeat("0", 59) + "...: must be " + grace},
		{"grace = 1.5", "1:9: grace = 1.5: must be " + grace},
		{"grace = \"60\"", `1:9: grace = "60": must be ` + grace},
		{"grace = \"0\"", `1:9: grace = "0": must be ` + grace},
		{"grace = \"\"", `1:9: grace = "": must be ` + grace},
		{"grace = \"-5s\"", `1:9: grace = "-5s": must be ` + grace},
		{"grace = \"61m\"", `1:9: grace = "61m": must be ` + grace},
		{"grace = \"1 m\"", `1:9: grace = "1 m": must be ` + grace},
		{"grace = \"9999999999h\"", `1:9: grace = "9999999999h": must be ` + grace},
		{"grace = true", "1:9: grace = true: must be " + grace},
		{"grace = 1979-05-27T07:32:00Z", "1:9: grace = 1979-05-27T07:32:00Z: must be " + grace},
		{"grace = 07:32:00", "1:9: grace = 07:32:00: must be " + grace},
		{"grace = inf", "1:9: grace = inf: must be " + grace},
		{"[grace]\nx = 1", "1:2: grace = a table: must be " + grace},
		{"[[grace]]\nx = 1", "1:3: grace = a table: must be " + grace},
		{"grace.x = 1", "1:1: grace = a table: must be " + grace},
		{"grace = {x = 1}", "1:9: grace = a table: must be " + grace},
		{"# ä\n\n  \"permit_root\" = 'ä'\n", `3:19: permit_root = "\u00e4": must be true or false`},
		{"sessions = -1", "1:12: sessions = -1: must be a number of sessions from 0 to 100000"},
		{"[guest]\naccounts = ['']", `2:13: guest.accounts = [""]: must be a list of user names, each once`},
		{"[guest]\naccounts = ['a', 'a']", `2:18: guest.accounts = ["a"]: must be a list of user names, each once`},
		{"[guest]\nname = '../x'", `2:8: guest.name = "../x": must be a user name`},
		{"[guest]\nfrom = ['192.0.2.1/24']", `2:9: guest.from = ["192.0.2.1/24"]: must be a list of addresses`},
		{"exit = 'validate'", `1:8: exit = "validate": must be the absolute path of a program, without arguments, or "" for none`},
		{"exit_user = ''", `1:13: exit_user = "": must be a user name`},
		{`domain_user = "%u"`, `1:15: domain_user = "%u": must be a name with one %u, as in "%u@example.com" or`},
		{`domain_user = "example.com"`, `1:15: domain_user = "example.com": must be a name with one %u`},
		{`domain_user = "%u@%u"`, `1:15: domain_user = "%u@%u": must be a name with one %u`},
		{`domain_user = "../%u"`, `1:15: domain_user = "../%u": must be a name with one %u`},
		{"permit_root = 1", "1:15: permit_root = 1: must be true or false"},
		{"permit_root = \"x\\u202e\\n\\u001b[1m\"", `1:15: permit_root = "x\u202e\n\x1b[1m": must be true or false`},
		{"permit_root = '" + strings.Repeat("é", 99) + "'", `1:15: permit_root = "` + strings.Repeat(`\u00e9`, 30) + `"...: must be true or false`},
		{"close_on_exit = 1979-05-27", "1:17: close_on_exit = 1979-05-27: must be true or false"},
		{"keepalive = \"on\"", `1:13: keepalive = "on": must be true, false or a time from 1s to 2h, `},
		{"keepalive = 0", `1:13: keepalive = 0: must be true, false or`},
		{"keepalive = \"1500ms\"", `1:13: keepalive = "1500ms": must be true, false or`},
		{"keepalive = \"121m\"", `1:13: keepalive = "121m": must be true, false or`},
		{"refusal_delay = \"499ms\"", `1:17: refusal_delay = "499ms": must be a time from 500ms to 1m, `},
		{"refusal_delay = 61", `1:17: refusal_delay = 61: must be a time`},
		{"stderr_min_port = 0", "1:19: stderr_min_port = 0: must be " + port},
		{"stderr_min_port = 65536", "1:19: stderr_min_port = 65536: must be " + port},
		{"stderr = true", `1:10: stderr = true: must be "yes" or "no"`},
		{"stderr = \"maybe\"", `1:10: stderr = "maybe": must be "yes" or "no"`},
		{"stderr = [\"yes\"]", `1:10: stderr = a list: must be "yes" or "no"`},
		{"on_disconnect = \"kill\"", `1:17: on_disconnect = "kill": must be "continue" or "hangup"`},
		{"keep_capabilities = true", "1:21: keep_capabilities = true: must be " + capabilities},
		{"keep_capabilities = \"cap_kill\"", `1:21: keep_capabilities = "cap_kill": must be ` + capabilities},
		{"\nkeep_capabilities = [\"cap_kill\",\n \"cap_foo\", \"cap_chown\"]", `3:2: keep_capabilities = ["cap_foo"]: must be ` + capabilities},
		{"keep_capabilities = [\"CAP_KILL\"]", `1:22: keep_capabilities = ["CAP_KILL"]: must be `},
		{"keep_capabilities = [\"all\"]", `1:22: keep_capabilities = ["all"]: must be `},
		{"keep_capabilities = [7]", `1:22: keep_capabilities = [7]: must be `},
		{"keep_capabilities  =\t[[\"cap_kill\"]]", `1:22: keep_capabilities = [a list]: must be `},
	} {
		if _, _, err := decodeServer(tt.text); err == nil || !strings.HasPrefix(err.Error(), "FILE:"+tt.want) {
			t.Errorf("%q:\n got %v\nwant FILE:%s", tt.text, err, tt.want)
		}
	}
}

func TestAnUnknownKeyIsNamedWithTheNearestOrAll(t *testing.T) {
	all := "the settings are grace, refusal_delay, "
	for _, tt := range []struct{ text, want string }{
		{"\n\npermitroot = true", `3:1: unknown setting "permitroot": the nearest is permit_root`},
		{"Grace = 5", `1:1: unknown setting "Grace": the nearest is grace`},
		{"grace = 5\nGRACE = 6", `2:1: unknown setting "GRACE": the nearest is grace`},
		{"z = 1\ny = 2", `1:1: unknown setting "z": ` + all},
		{"grace = 5\n[server]\nport = 1", `2:2: unknown setting "server": ` + all},
		{"[[role]]\nport = 1", `1:3: unknown setting "role": the nearest is rule`},
		{"[[rule]]\nport = 1", `2:1: unknown setting "rule.port": the settings of [rule] are name, service, user, `},
		{"[[rule]]\n[[rule]]\nusers = []", `3:1: unknown setting "rule.users": the nearest is user`},
		{"[[rule]]\nenvironment.x.y = 1", `2:13: rule.environment.x = a table: must be a string`},
		{"[[rule]]\ngrace = 1", `2:1: unknown setting "rule.grace": grace must come before the first table`},
		{" a.b = 1\n", `1:2: unknown setting "a": ` + all},
		{"\"\" = 1", `1:1: unknown setting "": ` + all},
		{"\"a\\u0000\\u202eb\" = 1", `1:1: unknown setting "a\x00\u202eb": ` + all},
		{strings.Repeat("x", 999) + " = 1", `1:1: unknown setting "` + strings.Repeat("x", 60) + `"...: ` + all},
		{"exempt = []", `1:1: unknown setting "exempt": exempt belongs in the table [penalties]`},
		{"[penalties]\nmin = 1\n grace = 3", `3:2: unknown setting "penalties.grace": grace must come before the first table`},
		{"[penalties]\nip4_bits = 3", `2:1: unknown setting "penalties.ip4_bits": the nearest is ipv4_bits`},
		{"[penalties]\nx = 3", `2:1: unknown setting "penalties.x": the settings of [penalties] are enabled, authfail, `},
		{"[penalties.x]", `1:12: unknown setting "penalties.x": the settings of [penalties] are enabled, `},
		{"penalties = {x = 1}", `1:14: unknown setting "penalties.x": `},
		{"penalties.penalties.min = 1", `1:11: unknown setting "penalties.penalties": `},
	} {
		if _, _, err := decodeServer(tt.text); err == nil || !strings.HasPrefix(err.Error(), "FILE:"+tt.want) {
			t.Errorf("%q:\n got %v\nwant FILE:%s", tt.text, err, tt.want)
		}
	}
	if _, _, err := decodeServer("z = 1"); !strings.HasSuffix(err.Error(), ", keep_capabilities, [tls], [guest], [penalties], [rsh], [[rule]], [[test]]") {
		t.Error(err)
	}
}

func TestWhatIsDefinedTwiceNamesBothLines(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"grace = 5\ngrace = 6", "2:1: grace is defined twice, first in line 1"},
		{"grace = 5\n\"grace\" = 5", "2:1: grace is defined twice, first in line 1"},
		{"[penalties]\nmin = 1\nmin = 2", "3:1: penalties.min is defined twice, first in line 2"},
		{"[penalties]\n[penalties]", "2:2: penalties is defined twice, first in line 1"},
		{"penalties.max = 50\n[penalties]", "2:2: penalties is defined twice, first in line 1"},
		{"penalties = {}\n[penalties]", "2:2: penalties is defined twice, first in line 1"},
		{"penalties = {}\npenalties.min = 1", "2:1: penalties is defined twice, first in line 1"},
		{"penalties.min = 1\npenalties = {}", "2:1: penalties is defined twice, first in line 1"},
		{"penalties = {min = 1, min = 1}", "1:23: penalties.min is defined twice, first in line 1"},
	} {
		if _, _, err := decodeServer(tt.text); err == nil || err.Error() != "FILE:"+tt.want {
			t.Errorf("%q:\n got %v\nwant FILE:%s", tt.text, err, tt.want)
		}
	}
}

func TestWhatIsNoTOMLNamesItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"grace 5":                                  "1:7: expected '='",
		"grace = 5\nstderr = \"yes\n":              "2:14: ",
		"log_command = true\ngrace =":              "2:7: ",
		"grace =\n":                                "1:8: ",
		"\x00":                                     "1:1: ",
		"grace = 5 # \x00":                         "1:13: control characters",
		"grace = \"\x00\"":                         "1:10: ",
		"grace = 5 \xff":                           "1:9: grace = 5 ?: must be a time",
		"keepalive = true\n# \xff\n":               "2:3: ",
		"grace = 5\rstderr = \"no\"":               "1:10: ",
		"grace = \"ää\" x":                         "1:14: ", // in characters
		"grace = 20s":                              "1:9: grace = 20s: must be a time from 1s to 1h, as in",
		"stderr = no # not yes":                    "1:10: stderr = no: must be \"yes\" or \"no\"",
		"\n permit_root = yes\r\n":                 "2:16: permit_root = yes: must be true or false",
		"permit_root = true true":                  "1:15: permit_root = true true: must be true or false",
		"permit_root = é\x1b":                      "1:15: permit_root = ??: must be true or false",
		"permit_root = " + strings.Repeat("x", 99): "1:15: permit_root = " + strings.Repeat("x", 60) + "...: must be true",
		"[penalties]\nmin = never":                 "2:7: penalties.min = never: must be a time",
		"permit_root = [\nlogin_shell = yes":       "2:1: unexpected character",
		"other = yes":                              "1:9: unexpected character",
		"grace = 007":                              "1:9: ",
		"grace = 1__0":                             "1:9: grace = 1__0: must be a time",
		"keep_capabilities = [\"cap_kill\"":        "1:31: ",
		"[penalties":                               "1:10: ",
		"[]":                                       "1:2: ",
		"\ufeffgrace 5":                            "1:7: ",
		"\xff\xfeg\x00r\x00":                       "1:1: invalid character at start of key: U+00FF '?'", // UTF-16
		"grace = " + strings.Repeat("[", 1<<20-8):  "1:10009: arrays and inline tables are nested",
	} {
		if _, _, err := decodeServer(text); err == nil || !strings.HasPrefix(err.Error(), "FILE:"+want) {
			t.Errorf("%.60q: %v; want FILE:%s", text, err, want)
		}
	}
}
