// Bench measures in.rexecd beside Debian's netkit in.rexecd, a C reference, a floor and OpenSSH, side by side in one
// private host, and writes tests/bench/results.md and results.svg.
//
//	go run ./tests/bench            the whole table, under 15 minutes
//	go run ./tests/bench -quick     the same figures from few rounds, about a minute; prints, and writes nothing
//	go run ./tests/bench -soak      20,000 connections: what do they leave behind?
//
// It needs root, a C compiler, libpam0g-dev, and the packages of tests/packages.txt. Nothing on the machine changes:
// each run happens in a throw-away copy of it (tests/lab).
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const workDir = "build/bench" // everything the benchmark builds, fetches and hands from one stage to the next

type options struct {
	quick   bool
	soak    bool
	conns   int
	only    string
	also    string
	server  string
	standby int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "spawn" { // this program is the super-server, too
		spawn(os.Args[2:])
		return
	}
	var opt options
	stage := flag.String("stage", "", "internal: the part that runs in a private host")
	flag.BoolVar(&opt.quick, "quick", false, "few rounds, about a minute; results.md stays as it is")
	flag.BoolVar(&opt.soak, "soak", false, "soak instead: look for what connections leave behind")
	flag.IntVar(&opt.conns, "n", 20000, "connections of the soak")
	flag.StringVar(&opt.only, "only", "", "comma-separated figures: latency,rate,memory,throughput,held,ssh,systemd")
	flag.StringVar(&opt.server, "server", "", "in.rexecd to measure, instead of one that make builds")
	flag.StringVar(&opt.also, "also", "", "comma-separated paths of other builds of in.rexecd to measure beside it; results.md stays as it is")
	flag.IntVar(&opt.standby, "standby", 4, "handlers that the warm standby keeps ready")
	flag.Parse()
	var err error
	switch *stage {
	case "":
		err = outside(opt)
	case "host":
		err = insideHost(opt)
	case "systemd":
		err = insideSystemd(opt)
	case "soak":
		err = insideSoak(opt)
	case "soak-systemd":
		err = insideSoakSystemd(opt)
	default:
		err = fmt.Errorf("unknown stage %q", *stage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// wants reports whether a figure was asked for.
func (o options) wants(figure string) bool {
	return o.only == "" || strings.Contains(","+o.only+",", ","+figure+",")
}

// others are the further builds, by their paths in the module's folder.
func (o options) others() []string {
	return strings.FieldsFunc(o.also, func(r rune) bool { return r == ',' })
}

// pick is the full run's number, or the quick run's.
func pick[T any](o options, full, quick T) T {
	if o.quick {
		return quick
	}
	return full
}

// outside builds and fetches, then runs each stage in a private host and writes the report.
func outside(opt options) error {
	start := time.Now()
	if os.Getuid() != 0 {
		return fmt.Errorf("needs root: it makes namespaces, accounts and PAM files of its own")
	}
	if err := enterModule(); err != nil {
		return err
	}
	if err := prepare(opt); err != nil {
		return err
	}
	undo, err := reserve()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: the processor is shared with other work:", err)
	}
	defer undo()
	if opt.soak {
		return errors.Join(enter("tests/lab/private-host", "soak", opt), enter("tests/lab/private-systemd", "soak-systemd", opt))
	}
	figures := newFigures()
	for _, path := range opt.others() {
		rows = append(rows, struct{ name, label string }{path, path})
	}
	stages := []struct{ script, stage string }{{"tests/lab/private-host", "host"}}
	if opt.wants("systemd") {
		stages = append(stages, struct{ script, stage string }{"tests/lab/private-systemd", "systemd"})
	}
	for _, s := range stages {
		if err := enter(s.script, s.stage, opt); err != nil {
			return err
		}
		if err := figures.load(resultFile(s.stage)); err != nil {
			return err
		}
	}
	report := markdown(figures, time.Since(start))
	fmt.Print(report)
	if opt.quick || opt.only != "" || opt.also != "" || opt.server != "" {
		return nil
	}
	if err := os.WriteFile("tests/bench/results.md", []byte(report), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile("tests/bench/results.svg", []byte(plot(figures)), 0o644); err != nil {
		return err
	}
	return writeReadme(figures)
}

// enterModule makes the module's root the working folder, wherever the command was started: it is the folder that the
// private hosts share with the machine.
func enterModule() error {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find module: %w", err)
	}
	return os.Chdir(filepath.Dir(strings.TrimSpace(string(out))))
}

func resultFile(stage string) string { return filepath.Join(workDir, stage+".json") }

// enter runs this program again inside a private host or a private systemd.
func enter(script, stage string, opt options) error {
	args := []string{filepath.Join(workDir, "bench"), "-stage", stage, "-n", fmt.Sprint(opt.conns), "-standby", fmt.Sprint(opt.standby), "-only", opt.only, "-also", opt.also}
	if opt.quick {
		args = append(args, "-quick")
	}
	cmd := exec.Command(script, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", script, stage, err)
	}
	return nil
}
