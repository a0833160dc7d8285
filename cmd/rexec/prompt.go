package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/term"

	"rexecd/cmd/rexec/job"
)

// A terminal is where the person is, whatever standard input and output are.
type terminal struct{ in, out *os.File }

func (t *terminal) close() {
	t.in.Close()
	t.out.Close()
}

// ask shows a question and reads a line.
func (t *terminal) ask(question string) (string, error) {
	fmt.Fprint(t.out, question)
	line, err := readLine(t.in)
	if errors.Is(err, errEmpty) {
		return "", nil
	}
	return line, err
}

// askSecret reads a line without showing it. If a signal ends rexec
// meanwhile, the terminal shows what is typed again.
func (t *terminal) askSecret(question string) (string, error) {
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for password: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, job.EndingSignals()...)
	done := make(chan struct{})
	defer func() {
		signal.Stop(signals)
		close(done)
	}()
	go func() {
		select {
		case got := <-signals:
			term.Restore(fd, before)
			fmt.Fprintln(t.out)
			os.Exit(128 + job.SignalNumber(got))
		case <-done:
		}
	}()
	fmt.Fprint(t.out, question)
	secret, err := term.ReadPassword(fd)
	fmt.Fprintln(t.out)
	if errors.Is(err, io.EOF) {
		return "", errors.New("no password given")
	}
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return string(secret), nil
}
