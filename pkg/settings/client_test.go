package settings

import (
	"strings"
	"testing"
	"time"
)

func decodeClient(text string) (*Client, error) {
	c := DefaultClient()
	return c, new(Sources).decode("FILE", []byte(text), c.keys())
}

func TestEverySettingOfTheClientIsApplied(t *testing.T) {
	for text, want := range map[string]func(c *Client){
		"":                              func(*Client) {},
		"netrc = false":                 func(c *Client) { c.Netrc = false },
		"command_line_password = false": func(c *Client) { c.CommandLinePassword = false },
		"os2_variables = true":          func(c *Client) { c.OS2Variables = true },
		"connect_timeout = 10":          func(c *Client) { c.ConnectTimeout = 10 * time.Second },
		"timeout = \"700ms\"":           func(c *Client) { c.Timeout = 700 * time.Millisecond },
		"stderr_timeout = \"1m30s\"":    func(c *Client) { c.StderrTimeout = 90 * time.Second },
		"stderr = \"auto\"":             func(c *Client) { c.Stderr = StderrAuto },
		"stderr_ports = \"1-65535\"":    func(c *Client) { c.StderrPorts = Ports{1, 65535} },
		"stderr_ports = \"512\"":        func(c *Client) { c.StderrPorts = Ports{512, 512} },
	} {
		expected := DefaultClient()
		want(expected)
		if got, err := decodeClient(text); err != nil || *got != *expected {
			t.Errorf("%q: %v, %+v", text, err, got)
		}
	}
}

func TestTheClientsErrorsHaveTheServersWords(t *testing.T) {
	const ports, limit = `a range of ports from 1 to 65535, as in "50000-50099"`, `a time from 1ms to 8760h, as in 30 (seconds) or "1m30s"`
	for text, want := range map[string]string{
		"# a comment\nnetcr = false":  `2:1: unknown setting "netcr": the nearest is netrc`,
		"netrc = \"no\"":              `1:9: netrc = "no": must be true or false`,
		"\n\ntimeout = \"soon\"":      `3:11: timeout = "soon": must be ` + limit,
		"timeout = 0":                 `1:11: timeout = 0: must be ` + limit,
		"timeout = 0.5":               `1:11: timeout = 0.5: must be ` + limit,
		"connect_timeout = \"-1s\"":   `1:19: connect_timeout = "-1s": must be ` + limit,
		"stderr = \"maybe\"":          `1:10: stderr = "maybe": must be "yes", "no" or "auto"`,
		"stderr = true":               `1:10: stderr = true: must be "yes", "no" or "auto"`,
		"stderr_ports = 50000":        `1:16: stderr_ports = 50000: must be ` + ports,
		"stderr_ports = \"0-99999\"":  `1:16: stderr_ports = "0-99999": must be ` + ports,
		"stderr_ports = \"0-5\"":      `1:16: stderr_ports = "0-5": must be ` + ports,
		"stderr_ports = \"5-4\"":      `1:16: stderr_ports = "5-4": must be ` + ports,
		"stderr_ports = \"5-65536\"":  `1:16: stderr_ports = "5-65536": must be ` + ports,
		"stderr_ports = \"5-\"":       `1:16: stderr_ports = "5-": must be ` + ports,
		"[netrc]\nx = 1":              `1:2: netrc = a table: must be true or false`,
		"netrc = true\nnetrc = false": `2:1: netrc is defined twice, first in line 1`,
	} {
		if _, err := decodeClient(text); err == nil || !strings.HasPrefix(err.Error(), "FILE:"+want) {
			t.Errorf("%q:\n got %v\nwant FILE:%s", text, err, want)
		}
	}
}
