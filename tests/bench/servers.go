package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A server under test. A cold one is started by our super-server for each connection; a standing one is given the
// listening socket, as LISTEN_FDS does it, and is its own super-server.
type server struct {
	name     string
	label    string
	exe      string // absolute
	args     []string
	standing bool
	keeps    int  // handlers that a standing one keeps ready
	noPAM    bool // costs the same whatever the stack
	waits    bool // has a parent that waits for the command
}

const standbyName = "standby"

// candidates lists the servers in the order of the tables.
func candidates(opt options) []server {
	dir, _ := filepath.Abs(workDir)
	list := []server{
		{name: "floor", label: "floor: protocol and exec", exe: dir + "/floor", noPAM: true},
		{name: "netkit", label: "Debian netkit in.rexecd 0.17", exe: dir + "/netkit/usr/sbin/in.rexecd"},
		{name: "reference", label: "C reference, same work", exe: dir + "/reference", waits: true},
		{name: "ours", label: "in.rexecd", exe: dir + "/in.rexecd", waits: true},
	}
	for _, path := range opt.others() {
		exe, _ := filepath.Abs(path)
		list = append(list, server{name: path, label: path, exe: exe, waits: true})
	}
	return append(list, server{name: standbyName, label: fmt.Sprintf("rexecd -standby %d", opt.standby), exe: dir + "/rexecd",
		args: []string{"-standby", fmt.Sprint(opt.standby)}, standing: true, keeps: opt.standby, waits: true})
}

// running is a started server.
type running struct {
	server
	port int
	cmd  *exec.Cmd
	pid  int // of a standing server that systemd started
	in   io.WriteCloser
	out  *bufio.Scanner
}

// start opens a listening socket and puts the server behind it.
func (s server) start() (*running, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := syscall.Listen(int(file.Fd()), 1024); err != nil { // also puts it back into blocking mode
		return nil, err
	}
	r := &running{server: s, port: l.Addr().(*net.TCPAddr).Port}
	if s.standing {
		// LISTEN_PID must be the server's own, which only the process itself knows before exec.
		script := `export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@"`
		r.cmd = exec.Command("sh", append([]string{"-c", "ulimit -Sn 1024; " + script, s.exe}, s.args...)...)
	} else {
		self, _ := filepath.Abs(filepath.Join(workDir, "bench"))
		r.cmd = exec.Command(self, append([]string{"spawn", s.exe}, s.args...)...)
		if r.in, err = r.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		out, err := r.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		r.out = bufio.NewScanner(out)
	}
	r.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	r.cmd.ExtraFiles = []*os.File{file}
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	_, err = r.settle()
	return r, err
}

// settle returns when the server has nothing left to do, with what it has cost so far: a cold one's children are all
// reaped, a standing one has replaced the handlers that were used.
func (r *running) settle() (cost, error) {
	if !r.standing {
		return r.ask("idle")
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		ready, err := ready(r.supervisor(), r.exe)
		if err != nil {
			return cost{}, err
		}
		if ready >= r.keeps {
			return r.cost()
		}
	}
	return cost{}, fmt.Errorf("%s has not replaced its handlers", r.name)
}

// supervisor is the process id of a standing server.
func (r *running) supervisor() int {
	if r.cmd != nil {
		return r.cmd.Process.Pid
	}
	return r.pid
}

// cost is what the connections so far have used.
func (r *running) cost() (cost, error) {
	if r.standing {
		cpu, err := treeCPU(r.supervisor())
		return cost{cpu: cpu}, err
	}
	return r.ask("cost")
}

func (r *running) ask(word string) (cost, error) {
	if _, err := io.WriteString(r.in, word+"\n"); err != nil {
		return cost{}, fmt.Errorf("ask super-server of %s: %w", r.name, err)
	}
	if !r.out.Scan() {
		return cost{}, fmt.Errorf("super-server of %s is gone", r.name)
	}
	return parseCost(r.out.Text())
}

func (r *running) stop() {
	if r.in != nil {
		r.in.Close()
	} else {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
	}
	_ = r.cmd.Wait()
}

// startAll starts every server; stop them all with the returned function.
func startAll(list []server) ([]*running, func(), error) {
	var all []*running
	stop := func() {
		for _, r := range all {
			r.stop()
		}
	}
	for _, s := range list {
		r, err := s.start()
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, r)
	}
	return all, stop, nil
}
