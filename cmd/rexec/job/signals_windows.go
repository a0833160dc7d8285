package job

import (
	"os"
	"syscall"
)

// Windows has the interrupt key, and a console that closes.
func forwardedSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

func wireNumber(got os.Signal, bsd bool) byte { return byte(SignalNumber(got)) }

// SignalNumber is the number of a signal here; 0: it has none.
func SignalNumber(got os.Signal) int {
	number, _ := got.(syscall.Signal)
	return int(number)
}

func endsPrograms(os.Signal) bool { return true }

func rshPassesOn(os.Signal) bool { return true }

func stopHere(os.Signal) {}

func isJobControl(os.Signal) bool { return false }

// EndingSignals are those that a person ends a program with.
func EndingSignals() []os.Signal { return []os.Signal{os.Interrupt} }
