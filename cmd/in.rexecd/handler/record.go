package handler

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"rexecd/pkg/rexec/wire"
)

// maxReport is above what a report can hold: a request's fields, names of accounts
// and rules, a reason of one line.
const maxReport = wire.MaxCommand + 16<<10

// record makes the record and the charge that a process of this program had no time for:
// the grace time was over in a call that nothing else interrupts.
func (p *Program) record(o options) int {
	server := p.bare(o)
	text := make([]byte, maxReport)
	n, err := unix.Pread(0, text, 0)
	if err != nil || n == 0 {
		fmt.Fprintf(os.Stderr, "%s: no report: the program starts itself with -record\n", p.Name)
		return exitUsage
	}
	// Settings that have a mistake by now say nothing of penalties.
	if config, err := p.server(o); err == nil {
		server.Config = config
	}
	status, err := server.Report(text[:n])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	}
	return status
}
