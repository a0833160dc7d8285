package interop

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// A client is a program that speaks the protocol from the other side.
type client struct {
	name  string
	short string
	// line is its command line, with a stderr connection or without.
	line func(t testing.TB, at target, u lab.User, command string, stderr bool) []string
	// said is where it prints what the server refuses with: GNU's takes it for output.
	said func(result) string
}

func onErrors(r result) string { return r.err }
func onOutput(r result) string { return r.out }

// foreign are other people's clients; ours is this project's.
var (
	commonsNet = client{"Apache commons-net 3.9 (Java)", "commons-net", commonsNetLine, onErrors}
	glibc      = client{"glibc's rexec(3)", "glibc", glibcLine, onErrors}
	gnu        = client{"GNU inetutils 2.4", "GNU", gnuLine, onOutput}
	foreign    = []client{commonsNet, glibc, gnu}
	ours       = client{"rexec", "rexec", oursLine, onErrors}
)

// run runs a command by the client.
func (c client) run(t testing.TB, at target, u lab.User, command, stdin string, stderr bool) result {
	t.Helper()
	return run(t, at.namespace, stdin, c.line(t, at, u, command, stderr)...)
}

func oursLine(t testing.TB, at target, u lab.User, command string, stderr bool) []string {
	line := []string{lab.Client(t), "-P", at.port, "-l", u.Name, "-p", u.Password}
	if !stderr {
		line = append(line, "-a")
	}
	return append(line, at.host, command)
}

func gnuLine(t testing.TB, at target, u lab.User, command string, stderr bool) []string {
	line := []string{lab.Inetutils(t, "rexec"), "-u", u.Name, "-p", u.Password, "-h", at.host, "-P", at.port}
	if !stderr {
		line = append(line, "-n")
	}
	return append(line, command)
}

// built compiles a program once.
type built struct {
	once sync.Once
	text []byte
	err  error
}

func (b *built) by(t testing.TB, args func() []string) {
	t.Helper()
	b.once.Do(func() {
		line := args()
		cmd := exec.Command(line[0], line[1:]...)
		b.text, b.err = cmd.CombinedOutput()
	})
	if b.err != nil {
		t.Fatalf("compile: %v\n%s", b.err, b.text)
	}
}

const programs = "/var/lib/lab/programs"

var glibcBuild, javaBuild built

// The program around rexec(3) is that of tests/e2e.
func glibcLine(t testing.TB, at target, u lab.User, command string, stderr bool) []string {
	t.Helper()
	glibcBuild.by(t, func() []string {
		os.MkdirAll(programs, 0o755)
		return []string{"gcc", "-O1", "-o", programs + "/glibc", "../e2e/testdata/rexec.c"}
	})
	family := "4"
	if !stderr {
		family = "-4"
	}
	return []string{programs + "/glibc", at.host, at.port, u.Name, u.Password, command, family}
}

// A JRE and the compiler of Eclipse: a third of a JDK. Without JIT tuning a client that lives for
// a second starts sooner.
func commonsNetLine(t testing.TB, at target, u lab.User, command string, stderr bool) []string {
	t.Helper()
	prepare(t)
	java := one(t, "/usr/lib/jvm/java-*-openjdk-*/bin/java")
	const library = "/usr/share/java/commons-net.jar"
	javaBuild.by(t, func() []string {
		os.MkdirAll(programs, 0o755)
		return []string{java, "-cp", "/usr/share/java/eclipse-jdt-core.jar", "org.eclipse.jdt.internal.compiler.batch.Main",
			"-11", "-proc:none", "-cp", library, "-d", programs, "testdata/CommonsNet.java"}
	})
	line := []string{java, "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+UseSerialGC", "-cp", library + ":" + programs,
		"CommonsNet", at.host, at.port, u.Name, u.Password, command}
	if !stderr {
		line = append(line, "together")
	}
	return line
}

func TestForeignClientsAreServed(t *testing.T) {
	t.Parallel()
	prepare(t)
	_, at := serve(t, "")
	for _, c := range append(foreign, ours) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := c.run(t, at, alice, "cat; echo err >&2", "some\ninput", true)
			if r.out != "some\ninput" || r.err != "err\n" || r.status != 0 {
				t.Errorf("with a stderr connection: %+v", r)
			}
			r = c.run(t, at, alice, "cat; echo err >&2", "some\ninput", false)
			if r.out != "some\ninputerr\n" || r.err != "" || r.status != 0 {
				t.Errorf("without a stderr connection: %+v", r)
			}
			r = c.run(t, at, alice, "wc -c", strings.Repeat("i", 300000), true)
			if r.out != "300000\n" || r.err != "" || r.status != 0 {
				t.Errorf("much input: %+v", r)
			}
		})
	}
}
