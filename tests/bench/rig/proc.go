package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// statFields splits /proc/PID/stat behind the command's name, which may hold spaces and brackets: [0] is the state,
// [1] the parent.
func statFields(stat string) []string {
	return strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
}

// A Process is one line of a process table.
type Process struct {
	pid, parent int
	exe         string
}

// Processes lists this process namespace.
func Processes() ([]Process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, d := range dirs {
		stat, err := os.ReadFile(d + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		exe, _ := os.Readlink(d + "/exe")
		p := Process{exe: exe}
		p.pid, _ = strconv.Atoi(filepath.Base(d))
		p.parent, _ = strconv.Atoi(statFields(string(stat))[1])
		list = append(list, p)
	}
	return list, nil
}

// Waiting lists the processes of a server that have a command below them: the waiting parents, and whatever else of
// the server's stays between them and the command. A supervisor is not one: its children are the server's own.
func Waiting(exe string) ([]int, error) {
	list, err := Processes()
	if err != nil {
		return nil, err
	}
	exeOf := map[int]string{}
	for _, p := range list {
		exeOf[p.pid] = p.exe
	}
	var pids []int
	for _, p := range list {
		if p.exe != exe && exeOf[p.parent] == exe {
			pids = append(pids, p.parent)
		}
	}
	return pids, nil
}

// ready counts a supervisor's children that wait for a connection: asleep in a call that waits for sockets, and with no
// command of their own.
func ready(supervisor int, exe string) (int, error) {
	list, err := Processes()
	if err != nil {
		return 0, err
	}
	serving := map[int]bool{}
	for _, p := range list {
		serving[p.parent] = true
	}
	n := 0
	for _, p := range list {
		if p.parent != supervisor || p.exe != exe || serving[p.pid] {
			continue
		}
		place, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", p.pid))
		if strings.Contains(string(place), "poll") || strings.Contains(string(place), "accept") {
			n++
		}
	}
	return n, nil
}

// A Rollup is a process's memory in KB.
type Rollup struct{ PSS, PrivateDirty, PrivateClean, SharedDirty float64 }

// Dirty is what is the process's own or was before it was forked.
func (r Rollup) Dirty() float64 { return r.PrivateDirty + r.SharedDirty }

// MemoryOf reads the memory of a process.
func MemoryOf(pid int) (r Rollup, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return r, err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		kb, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			continue
		}
		switch f[0] {
		case "Pss:":
			r.PSS = kb
		case "Private_Dirty:":
			r.PrivateDirty = kb
		case "Shared_Dirty:":
			r.SharedDirty = kb
		case "Private_Clean:":
			r.PrivateClean = kb
		}
	}
	return r, nil
}
