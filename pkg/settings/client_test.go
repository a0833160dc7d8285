package settings

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func decodeClient(text string) (*Client, error) {
	c := defaultClient()
	return c, new(Sources).decode("FILE", []byte(text), c.keys())
}

func TestEverySettingOfTheClientIsApplied(t *testing.T) {
	for text, want := range map[string]func(c *Client){
		"":                                          func(*Client) {},
		"netrc = false":                             func(c *Client) { c.Netrc = false },
		"command_line_password = false":             func(c *Client) { c.CommandLinePassword = false },
		"os2_variables = true":                      func(c *Client) { c.OS2Variables = true },
		"connect_timeout = 10":                      func(c *Client) { c.ConnectTimeout = 10 * time.Second },
		"timeout = \"700ms\"":                       func(c *Client) { c.Timeout = 700 * time.Millisecond },
		"stderr_timeout = \"1m30s\"":                func(c *Client) { c.StderrTimeout = 90 * time.Second },
		"stderr = \"auto\"":                         func(c *Client) { c.Stderr = StderrAuto },
		"stderr_ports = \"1-65535\"":                func(c *Client) { c.StderrPorts = Ports{1, 65535} },
		"stderr_ports = \"512\"":                    func(c *Client) { c.StderrPorts = Ports{512, 512} },
		"stderr_from = \"any\"":                     func(c *Client) { c.StderrFrom = from("0.0.0.0/0", "::/0") },
		"stderr_from = \"192.0.2.7,2001:db8::/32\"": func(c *Client) { c.StderrFrom = from("192.0.2.7/32", "2001:db8::/32") },
		"[host.\"A.example\"]\nstderr_from = \"192.0.2.7\"\n[host.b]\n": func(c *Client) {
			c.hosts = []*host{{Name: "a.example", StderrFrom: from("192.0.2.7/32")}, {Name: "b"}}
		},
		"[host.c]\ntls = true\ntls_ca = '/ca'\ntls_cert = '/cert'\ntls_key = '/key'\ntls_name = 'd'\n": func(c *Client) {
			c.hosts = []*host{{Name: "c", TLS: HostTLS{Use: true, CA: "/ca", Cert: "/cert", Key: "/key", Name: "d"}}}
		},
	} {
		expected := defaultClient()
		want(expected)
		if got, err := decodeClient(text); err != nil || !reflect.DeepEqual(got, expected) {
			t.Errorf("%q: %v, %+v", text, err, got)
		}
	}
}

func from(networks ...string) (list []netip.Prefix) {
	for _, n := range networks {
		list = append(list, netip.MustParsePrefix(n))
	}
	return list
}

func TestAHostsTableReplacesTheGeneralSetting(t *testing.T) {
	c, err := decodeClient("stderr_from = \"192.0.2.1\"\n[host.a]\nstderr_from = \"any\"\n[host.b]\n")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][]netip.Prefix{"a": from("0.0.0.0/0", "::/0"), "A": from("0.0.0.0/0", "::/0"), "b": from("192.0.2.1/32"), "c": from("192.0.2.1/32")} {
		if got := c.StderrFromOf(host); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v; want %v", host, got, want)
		}
	}
}

func TestTheClientsErrorsHaveTheServersWords(t *testing.T) {
	const ports, limit = `a range of ports from 1 to 65535, as in "50000-50099"`, `a time from 1ms to 8760h, as in 30 (seconds) or "1m30s"`
	for text, want := range map[string]string{
		"# a comment\nnetcr = false":     `2:1: unknown setting "netcr": the nearest is netrc`,
		"netrc = \"no\"":                 `1:9: netrc = "no": must be true or false`,
		"\n\ntimeout = \"soon\"":         `3:11: timeout = "soon": must be ` + limit,
		"timeout = 0":                    `1:11: timeout = 0: must be ` + limit,
		"timeout = 0.5":                  `1:11: timeout = 0.5: must be ` + limit,
		"connect_timeout = \"-1s\"":      `1:19: connect_timeout = "-1s": must be ` + limit,
		"stderr = \"maybe\"":             `1:10: stderr = "maybe": must be "yes", "no" or "auto"`,
		"stderr = true":                  `1:10: stderr = true: must be "yes", "no" or "auto"`,
		"stderr_ports = 50000":           `1:16: stderr_ports = 50000: must be ` + ports,
		"stderr_ports = \"0-99999\"":     `1:16: stderr_ports = "0-99999": must be ` + ports,
		"stderr_ports = \"0-5\"":         `1:16: stderr_ports = "0-5": must be ` + ports,
		"stderr_ports = \"5-4\"":         `1:16: stderr_ports = "5-4": must be ` + ports,
		"stderr_ports = \"5-65536\"":     `1:16: stderr_ports = "5-65536": must be ` + ports,
		"stderr_ports = \"5-\"":          `1:16: stderr_ports = "5-": must be ` + ports,
		"stderr_from = \"192.0.2.1/24\"": `1:15: stderr_from = "192.0.2.1/24": must be "any", or addresses and networks`,
		"stderr_from = []":               `1:15: stderr_from = a list: must be "any", or addresses`,
		"[host.a]\n[host.A]\n[host.a]":   `3:7: host.a is defined twice, first in line 1`,
		"[host]\nx = 1":                  `2:5: host.x = 1: must be a table, [host.x]`,
		"[[host.a]]":                     `1:8: host.a = a list of tables: must be one table, [host.a]`,
		"host.a.x = 1":                   `1:8: unknown setting "host.a.x": the settings of [host.a] are stderr_from`,
		"[netrc]\nx = 1":                 `1:2: netrc = a table: must be true or false`,
		"netrc = true\nnetrc = false":    `2:1: netrc is defined twice, first in line 1`,
	} {
		if _, err := decodeClient(text); err == nil || !strings.HasPrefix(err.Error(), "FILE:"+want) {
			t.Errorf("%q:\n got %v\nwant FILE:%s", text, err, want)
		}
	}
}
