package handler

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"rexecd/pkg/rexecd"
)

// explain is the work of rexecd -explain, which holds no NSS: the accounts, and the
// function that decides, are the server's. Denied is exitError.
func (p *Program) explain(o options) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "rexecd:", err)
		return exitUsage
	}
	config, err := p.server(o)
	if err != nil {
		return fail(err)
	}
	user, command := o.args[0], o.args[2]
	first, second, both := strings.Cut(o.args[1], ",")
	from, err := netip.ParseAddr(first)
	var to netip.Addr
	if err == nil && both {
		to, err = netip.ParseAddr(second)
	}
	if err != nil {
		return fail(fmt.Errorf("%q: it takes the client's address, or the client's and this host's with a comma between them", o.args[1]))
	}
	server := &rexecd.Server{Config: config}
	text, allowed, err := server.Explain(user, from, to, o.certificate, command)
	fmt.Print(text)
	switch {
	case err != nil:
		return fail(err)
	case !allowed:
		return exitError
	}
	return exitOK
}
