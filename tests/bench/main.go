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

	"rexecd/tests/bench/measure"
	"rexecd/tests/bench/report"
	"rexecd/tests/bench/rig"
	"rexecd/tests/bench/soak"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "spawn" { // this program is the super-server, too
		rig.Spawn(os.Args[2:])
		return
	}
	var opt rig.Options
	stage := flag.String("stage", "", "internal: the part that runs in a private host")
	flag.BoolVar(&opt.Quick, "quick", false, "few rounds, about a minute; results.md stays as it is")
	flag.BoolVar(&opt.Soak, "soak", false, "soak instead: look for what connections leave behind")
	flag.IntVar(&opt.Conns, "n", 20000, "connections of the soak")
	flag.StringVar(&opt.Only, "only", "", "comma-separated figures: latency,rate,memory,throughput,held,ssh,systemd")
	flag.StringVar(&opt.Server, "server", "", "in.rexecd to measure, instead of one that make builds")
	flag.StringVar(&opt.Also, "also", "", "comma-separated paths of other builds of in.rexecd to measure beside it; results.md stays as it is")
	flag.IntVar(&opt.Standby, "standby", 4, "handlers that the warm standby keeps ready")
	flag.Parse()
	var err error
	switch *stage {
	case "":
		err = outside(opt)
	case "host":
		err = measured(*stage, measure.Host, opt)
	case "systemd":
		err = measured(*stage, measure.Systemd, opt)
	case "soak":
		err = soak.Host(opt)
	case "soak-systemd":
		err = soak.Systemd(opt)
	default:
		err = fmt.Errorf("unknown stage %q", *stage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measured runs a stage and leaves what it measured to whoever started this program.
func measured(stage string, f func(rig.Options) (*measure.Figures, error), opt rig.Options) error {
	figures, err := f(opt)
	if err != nil {
		return err
	}
	return figures.Save(resultFile(stage))
}

// outside builds and fetches, then runs each stage in a private host and writes the report.
func outside(opt rig.Options) error {
	start := time.Now()
	if os.Getuid() != 0 {
		return fmt.Errorf("needs root: it makes namespaces, accounts and PAM files of its own")
	}
	if err := enterModule(); err != nil {
		return err
	}
	if err := rig.Prepare(opt); err != nil {
		return err
	}
	undo, err := rig.Reserve()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: the processor is shared with other work:", err)
	}
	defer undo()
	if opt.Soak {
		return errors.Join(enter("tests/lab/private-host", "soak", opt), enter("tests/lab/private-systemd", "soak-systemd", opt))
	}
	figures := measure.NewFigures()
	for _, path := range opt.Others() {
		report.AddRow(path)
	}
	stages := []struct{ script, stage string }{{"tests/lab/private-host", "host"}}
	if opt.Wants("systemd") {
		stages = append(stages, struct{ script, stage string }{"tests/lab/private-systemd", "systemd"})
	}
	for _, s := range stages {
		if err := enter(s.script, s.stage, opt); err != nil {
			return err
		}
		if err := figures.Load(resultFile(s.stage)); err != nil {
			return err
		}
	}
	tables := report.Markdown(figures, time.Since(start))
	fmt.Print(tables)
	if opt.Quick || opt.Only != "" || opt.Also != "" || opt.Server != "" {
		return nil
	}
	if err := os.WriteFile("tests/bench/results.md", []byte(tables), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile("tests/bench/results.svg", []byte(report.Plot(figures)), 0o644); err != nil {
		return err
	}
	return report.WriteReadme(figures)
}

// enterModule makes the module's root the working directory, wherever the command was started: it is the directory that the
// private hosts share with the machine.
func enterModule() error {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find module: %w", err)
	}
	return os.Chdir(filepath.Dir(strings.TrimSpace(string(out))))
}

func resultFile(stage string) string { return filepath.Join(rig.WorkDir, stage+".json") }

// enter runs this program again inside a private host or a private systemd.
func enter(script, stage string, opt rig.Options) error {
	args := []string{filepath.Join(rig.WorkDir, "bench"), "-stage", stage, "-n", fmt.Sprint(opt.Conns), "-standby", fmt.Sprint(opt.Standby), "-only", opt.Only, "-also", opt.Also}
	if opt.Quick {
		args = append(args, "-quick")
	}
	cmd := exec.Command(script, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", script, stage, err)
	}
	return nil
}
