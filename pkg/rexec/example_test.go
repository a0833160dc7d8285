package rexec_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"rexecd/pkg/rexec"
)

// exampleServer stands in for a host with a rexecd: it knows alice, whose
// password is "open sesame", and a command or two.
func exampleServer() (port int, stop func()) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go exampleSession(&peer{primary: conn})
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() { listener.Close() }
}

func exampleSession(p *peer) {
	defer p.end()
	if p.standard(); p.pass != "open sesame" {
		p.out("\x01Login incorrect.\n")
		return
	}
	p.out("\x00")
	switch p.command {
	case "uname":
		p.out("Linux\n")
	case "sort":
		text, _ := io.ReadAll(p.primary)
		p.out(strings.Join([]string{"apple", "pear"}, "\n") + "\n")
		p.errs(fmt.Sprintf("sort: %d bytes\n", len(text)))
	case "sleep 1000":
		var signal [1]byte
		io.ReadFull(p.stderr, signal[:])
		p.out(fmt.Sprintf("signal %d\n", signal[0]))
	}
}

func ExampleSession_Output() {
	port, stop := exampleServer()
	defer stop()
	client := &rexec.Client{Host: "127.0.0.1", Port: port, User: "alice", Password: "open sesame"}
	out, err := client.Command(context.Background(), "uname").Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// Linux
	// <nil>
}

func ExampleSession_Run() {
	port, stop := exampleServer()
	defer stop()
	client := &rexec.Client{Host: "127.0.0.1", Port: port, User: "alice", Password: "open sesame"}
	session := client.Command(context.Background(), "sort")
	session.Stdin = strings.NewReader("pear\napple\n")
	session.Stdout = os.Stdout
	if err := session.Run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// apple
	// pear
}

func ExampleSession_Signal() {
	port, stop := exampleServer()
	defer stop()
	client := &rexec.Client{Host: "127.0.0.1", Port: port, User: "alice", Password: "open sesame"}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	session := client.Command(ctx, "sleep 1000")
	session.Stdout = os.Stdout
	if err := session.Start(); err != nil {
		fmt.Println(err)
		return
	}
	session.Signal(15) // SIGTERM, by its number on the server
	fmt.Println(session.Wait())
	// Output:
	// signal 15
	// <nil>
}

func ExampleRefusedError() {
	port, stop := exampleServer()
	defer stop()
	client := &rexec.Client{Host: "127.0.0.1", Port: port, User: "alice", Password: "guess"}
	err := client.Command(context.Background(), "uname").Run()
	var refused *rexec.RefusedError
	if errors.As(err, &refused) {
		fmt.Println("the server says:", refused.Reason())
	}
	// Output: the server says: Login incorrect.
}
