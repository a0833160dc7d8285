//go:build unix

package scripted

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// serveNuttX does what netutils/rexecd/rexecd.c of NuttX' applications does.
// It reads port, user, password and command into one buffer and looks at the
// last alone; a field that is cut off by the end of file leaves what was in
// the buffer. It sends no status byte, relays the command's input and output,
// not its standard error, and ends with the first end of file on either side.
func (s *Server) serveNuttX(conn *net.TCPConn) {
	var buf [512]byte
	for range 4 {
		for n := 0; n < len(buf); n++ {
			if _, err := io.ReadFull(conn, buf[n:n+1]); err != nil || buf[n] == 0 {
				break
			}
		}
	}
	command, _, _ := strings.Cut(string(buf[:]), "\x00")
	s.mu.Lock()
	s.told = append(s.told, fmt.Sprintf("NuttX runs %q\n", command))
	s.mu.Unlock()
	if strings.HasPrefix(command, "exec ") { // NSH runs no programs so
		io.WriteString(conn, "nsh: exec: command not found\n")
		return
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	syscall.SetNonblock(pair[0], true) // so that closing it ends a read
	ours, theirs := os.NewFile(uintptr(pair[0]), "server"), os.NewFile(uintptr(pair[1]), "command")
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stdout = theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		return
	}
	ended := make(chan struct{}, 2)
	relay := func(to io.Writer, from io.Reader) {
		io.Copy(to, from)
		ended <- struct{}{}
	}
	go relay(ours, conn)
	go relay(conn, ours)
	<-ended
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	conn.Close()
	ours.Close()
	<-ended
	cmd.Wait()
}
