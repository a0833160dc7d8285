//go:build unix

package job

import (
	"os"
	"syscall"
)

// A wireSignal is a signal under the numbers that servers know it by.
type wireSignal struct {
	signal     syscall.Signal
	linux, bsd byte
}

// wireSignals are those that are passed on: what a person or a program sends
// to a command. Not WINCH (there is no window), nor what is about rexec's own
// use of its terminal (TTIN, TTOU) and memory.
var wireSignals = [...]wireSignal{
	{syscall.SIGHUP, 1, 1},
	{syscall.SIGINT, 2, 2},
	{syscall.SIGQUIT, 3, 3},
	{syscall.SIGUSR1, 10, 30},
	{syscall.SIGUSR2, 12, 31},
	{syscall.SIGALRM, 14, 14},
	{syscall.SIGTERM, 15, 15},
	{syscall.SIGCONT, 18, 19},
	{syscall.SIGTSTP, 20, 18},
}

func forwardedSignals() []os.Signal {
	var signals []os.Signal
	for _, s := range wireSignals {
		signals = append(signals, s.signal)
	}
	return signals
}

func wireNumber(got os.Signal, bsd bool) byte {
	for _, s := range wireSignals {
		switch {
		case s.signal != got:
		case bsd:
			return s.bsd
		default:
			return s.linux
		}
	}
	return 0
}

// SignalNumber is the number of a signal here; 0: it has none.
func SignalNumber(got os.Signal) int {
	number, _ := got.(syscall.Signal)
	return int(number)
}

func endsPrograms(got os.Signal) bool {
	return got == syscall.SIGHUP || got == syscall.SIGINT || got == syscall.SIGQUIT || got == syscall.SIGTERM
}

// rshPassesOn is what BSD's rsh passes on, and rexec with -b.
func rshPassesOn(got os.Signal) bool {
	return got == syscall.SIGINT || got == syscall.SIGQUIT || got == syscall.SIGTERM
}

// stopHere stops rexec itself on the terminal's stop key, so that the shell
// that started it gets its prompt.
func stopHere(got os.Signal) {
	if got == syscall.SIGTSTP {
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
}

// EndingSignals are those that a person ends a program with.
func EndingSignals() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM}
}

func isJobControl(got os.Signal) bool { return got == syscall.SIGTSTP || got == syscall.SIGCONT }
