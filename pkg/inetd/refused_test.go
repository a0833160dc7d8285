package inetd

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func socketFile(t *testing.T, domain, typ int, use func(fd int) error) *os.File {
	t.Helper()
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
	if err == nil && use != nil {
		err = use(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWhatIsNotAConnectionIsNamed(t *testing.T) {
	open := func(name string) *os.File {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	pipe, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer writer.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unixSocket := os.NewFile(uintptr(pair[0]), "unix")
	defer unixSocket.Close()
	defer unix.Close(pair[1])
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	listening := socketFile(t, unix.AF_INET, unix.SOCK_STREAM, func(fd int) error {
		if err := unix.Bind(fd, loopback); err != nil {
			return err
		}
		return unix.Listen(fd, 1)
	})
	udp := socketFile(t, unix.AF_INET, unix.SOCK_DGRAM, func(fd int) error { return unix.Bind(fd, loopback) })
	unconnected := socketFile(t, unix.AF_INET, unix.SOCK_STREAM, nil)
	terminal := open("/dev/ptmx")
	connection, _ := accepted(t, "tcp4", "127.0.0.1", "127.0.0.1")
	for _, tt := range []struct {
		name string
		fds  []*os.File
		env  []string
		want string // regular expression
	}{
		{"a pipe", []*os.File{pipe}, nil, `^standard input is a pipe, not a connection; .*rexecd -debug`},
		{"/dev/null", []*os.File{open(os.DevNull)}, nil, `^standard input is a terminal or device, not a connection`},
		{"a terminal", []*os.File{terminal}, nil, `^standard input is a terminal or device, not a connection`},
		{"a file", []*os.File{open("/etc/passwd")}, nil, `^standard input is a file, not a connection`},
		{"a directory", []*os.File{open("/")}, nil, `^standard input is a directory, not a connection`},
		{"closed, which Go opens as /dev/null", []*os.File{nil}, nil, `^standard input is a terminal or device`},
		{"a listening socket", []*os.File{listening}, nil, `^the socket is a listening one: use nowait in inetd\.conf, wait = no in xinetd, or Accept=yes`},
		{"a listening socket as 3", closedBut(listening), []string{"LISTEN_FDS=1"}, `^the socket is a listening one`},
		{"a UDP socket", []*os.File{udp}, nil, `^the socket is not a stream socket: use a stream tcp service`},
		{"a unix socket", []*os.File{unixSocket}, nil, `^the socket is not a TCP connection`},
		{"a socket that is not connected", []*os.File{unconnected}, nil, `^the socket is not connected \(transport endpoint is not connected\)`},
		{"two sockets", append(closedBut(connection), connection), []string{"LISTEN_FDS=2"}, `^the super-server passed 2 sockets, not one connection: use Accept=yes`},
		{"a descriptor 3 that is not open", append(closedBut(nil)[:3:3], nil), []string{"LISTEN_FDS=1"}, `descriptor 3|not a connection`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := super(t, tt.fds, tt.env...)
			if !regexp.MustCompile(tt.want).MatchString(r.Err) || strings.Contains(r.Err, "\n") {
				t.Errorf("Take: %q; want one line, %q", r.Err, tt.want)
			}
			if tt.env == nil && r.Handed {
				t.Errorf("Handed() = true")
			}
			// Nothing was moved: the line goes to standard error.
			if null := [3]string{os.DevNull, os.DevNull, os.DevNull}; tt.env == nil && r.Std == null &&
				tt.name != "/dev/null" && tt.fds[0] != nil {
				t.Errorf("descriptors 0 to 2 are %q after an error", r.Std)
			}
		})
	}
}

func TestPeerThatHasResetIsToldApartFromNoConnection(t *testing.T) {
	server, client := accepted(t, "tcp4", "127.0.0.1", "127.0.0.1")
	client.SetLinger(0)
	client.Close()
	// The reset arrives when the socket has an event to tell.
	fds := []unix.PollFd{{Fd: int32(server.Fd()), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 20000); err != nil {
		t.Fatal(err)
	}
	if r := super(t, []*os.File{server, server, server}); !strings.HasPrefix(r.Err, ErrGone.Error()) {
		t.Errorf("Take: %q", r.Err)
	}
}

func TestLinkLocalPeerKeepsItsInterfaceAsANumber(t *testing.T) {
	for _, tt := range []struct {
		sa   unix.Sockaddr
		want string
	}{
		{&unix.SockaddrInet4{Port: 1, Addr: [4]byte{192, 0, 2, 7}}, "192.0.2.7:1"},
		{&unix.SockaddrInet6{Port: 512, Addr: netip.MustParseAddr("::ffff:192.0.2.7").As16()}, "192.0.2.7:512"},
		{&unix.SockaddrInet6{Port: 65535, Addr: netip.MustParseAddr("2001:db8::1").As16()}, "[2001:db8::1]:65535"},
		{&unix.SockaddrUnix{Name: "x"}, "invalid AddrPort"},
	} {
		if got := addrPort(tt.sa); got.String() != tt.want {
			t.Errorf("addrPort(%#v) = %v; want %v", tt.sa, got, tt.want)
		}
	}
	got := addrPort(&unix.SockaddrInet6{Port: 512, ZoneId: 1, Addr: netip.MustParseAddr("fe80::1").As16()})
	if got.Addr().Zone() == "" || got.Addr().WithZone("") != netip.MustParseAddr("fe80::1") {
		t.Errorf("a link-local address = %v; want its zone kept", got)
	}
}
