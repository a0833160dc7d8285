package rig

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A Server under test. A cold one is started by our super-server for each connection; a standing one is given the
// listening socket, as LISTEN_FDS does it, and is its own super-server.
type Server struct {
	Target   // the port is known once it runs
	Name     string
	Label    string
	Exe      string // absolute
	Args     []string
	handler  string // of a standing one: the program that serves a connection; absolute
	Standing bool
	keeps    int  // handlers that a standing one keeps ready
	Waits    bool // has a parent that waits for the command
}

// StandbyName is the name of rexecd -standby, the standing server.
const StandbyName = "standby"

// Serves is the program that a connection's processes run.
func (s Server) Serves() string {
	if s.Standing {
		return s.handler
	}
	return s.Exe
}

// Candidates lists the servers in the order of the tables.
func Candidates(opt Options, at Target) []Server {
	dir, _ := filepath.Abs(WorkDir)
	list := []Server{
		{Target: at, Name: "floor", Label: "floor: protocol and exec", Exe: dir + "/floor"},
		{Target: at, Name: "netkit", Label: "Debian netkit in.rexecd 0.17", Exe: dir + "/netkit/usr/sbin/in.rexecd"},
		{Target: at, Name: "reference", Label: "C reference, same work", Exe: dir + "/reference", Waits: true},
		{Target: at, Name: "ours", Label: "in.rexecd", Exe: dir + "/in.rexecd", Waits: true},
	}
	for _, path := range opt.Others() {
		exe, _ := filepath.Abs(path)
		list = append(list, Server{Target: at, Name: path, Label: path, Exe: exe, Waits: true})
	}
	return append(list, Server{Target: at, Name: StandbyName, Label: fmt.Sprintf("rexecd -standby %d", opt.Standby), Exe: dir + "/rexecd",
		Args: []string{"-standby", fmt.Sprint(opt.Standby)}, handler: dir + "/in.rexecd", Standing: true, keeps: opt.Standby, Waits: true})
}

// TenRulesName is in.rexecd with ten rules in its settings, of which the last one
// matches the command that is measured.
const TenRulesName = "ten-rules"

// TenRules is in.rexecd with the settings file of that name; the file is made by
// WriteTenRules.
func TenRules(at Target) Server {
	dir, _ := filepath.Abs(WorkDir)
	return Server{Target: at, Name: TenRulesName, Label: "in.rexecd, ten rules", Exe: dir + "/in.rexecd",
		Args: []string{"-config", tenRulesFile}, Waits: true}
}

const tenRulesFile = "/etc/rexecd-ten-rules.toml"

// WriteTenRules adds the rules to the text of the shipped settings.
func WriteTenRules(shipped []byte) error {
	text := string(shipped)
	for i := range 9 {
		text += fmt.Sprintf("[[rule]]\nname = \"jobs-%d\"\nuser = [\"batch*\", \"%s\"]\nfrom = [\"0.0.0.0/0\", \"::/0\"]\n"+
			"command = '/opt/jobs-%d/[a-z]+( [A-Za-z0-9._/-]+)*'\nshell = false\n", i, UserName, i)
	}
	text += "[[rule]]\nname = \"last\"\nuser = [\"" + UserName + "\"]\n"
	return os.WriteFile(tenRulesFile, []byte(text), 0o644)
}

// Running is a started server.
type Running struct {
	Server
	PID int // of a standing server's supervisor
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// Start opens a listening socket and puts the server behind it.
func (s Server) Start() (*Running, error) {
	l, err := net.Listen("tcp4", netip.AddrPortFrom(s.Addr, 0).String())
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
	s.Target = s.At(l.Addr().(*net.TCPAddr).Port)
	r := &Running{Server: s}
	if s.Standing {
		// LISTEN_PID must be the server's own, which only the process itself knows before exec.
		script := `export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@"`
		r.cmd = exec.Command("sh", append([]string{"-c", "ulimit -Sn 1024; " + script, s.Exe}, s.Args...)...)
	} else {
		self, _ := filepath.Abs(filepath.Join(WorkDir, "bench"))
		r.cmd = exec.Command(self, append([]string{"spawn", s.Exe}, s.Args...)...)
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
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	if r.Standing {
		r.PID = r.cmd.Process.Pid
	}
	_, err = r.Settle()
	return r, err
}

// Settle returns when the server has nothing left to do, with what it has cost so far: a cold one's children are all
// reaped, a standing one has replaced the handlers that were used.
func (r *Running) Settle() (Cost, error) {
	if !r.Standing {
		return r.ask("idle")
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		ready, err := ready(r.PID, r.handler)
		if err != nil {
			return Cost{}, err
		}
		if ready >= r.keeps {
			return r.Cost()
		}
	}
	return Cost{}, fmt.Errorf("%s has not replaced its handlers", r.Name)
}

// Cost is what the connections so far have used.
func (r *Running) Cost() (Cost, error) {
	if r.Standing {
		cpu, err := TreeCPU(r.PID)
		if zygote := r.Zygote(); zygote != 0 && err == nil {
			// With those that it has reaped. Once it has ended it is among the supervisor's.
			more, err := TreeCPU(zygote)
			return Cost{CPU: cpu + more}, err
		}
		return Cost{CPU: cpu}, err
	}
	return r.ask("cost")
}

// Zygote is the process that a standing server's handlers are forked from, or 0. They have its arguments for a moment;
// it is the first.
func (r *Running) Zygote() int {
	list, _ := Processes()
	first := 0
	for _, p := range list {
		if p.parent != r.PID || p.exe != r.handler || first != 0 && p.pid > first {
			continue
		}
		if args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid)); bytes.Contains(args, []byte("\x00-zygote\x00")) {
			first = p.pid
		}
	}
	return first
}

func (r *Running) ask(word string) (Cost, error) {
	if _, err := io.WriteString(r.in, word+"\n"); err != nil {
		return Cost{}, fmt.Errorf("ask super-server of %s: %w", r.Name, err)
	}
	if !r.out.Scan() {
		return Cost{}, fmt.Errorf("super-server of %s is gone", r.Name)
	}
	return parseCost(r.out.Text())
}

// Stop ends the server.
func (r *Running) Stop() {
	if r.in != nil {
		r.in.Close()
	} else {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
	}
	_ = r.cmd.Wait()
}

// StartAll starts every server; stop them all with the returned function.
func StartAll(list []Server) ([]*Running, func(), error) {
	var all []*Running
	stop := func() {
		for _, r := range all {
			r.Stop()
		}
	}
	for _, s := range list {
		r, err := s.Start()
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, r)
	}
	return all, stop, nil
}
