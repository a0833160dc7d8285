package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func parent(path string) string { return filepath.Dir(path) }

// statFields splits /proc/PID/stat behind the command's name, which may hold spaces and brackets: [0] is the state,
// [1] the parent.
func statFields(stat string) []string {
	return strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
}

// process is one line of a process table.
type process struct {
	pid, parent int
	exe         string
}

// processes lists this process namespace.
func processes() ([]process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var list []process
	for _, d := range dirs {
		stat, err := os.ReadFile(d + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		exe, _ := os.Readlink(d + "/exe")
		p := process{exe: exe}
		p.pid, _ = strconv.Atoi(filepath.Base(d))
		p.parent, _ = strconv.Atoi(statFields(string(stat))[1])
		list = append(list, p)
	}
	return list, nil
}

// waiting lists the processes of a server that have a command below them: the waiting parents, and whatever else of
// the server's stays between them and the command. A supervisor is not one: its children are the server's own.
func waiting(exe string) ([]int, error) {
	list, err := processes()
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
	list, err := processes()
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

// rollup is a process's memory in KB.
type rollup struct{ pss, privateDirty, privateClean float64 }

func memoryOf(pid int) (r rollup, err error) {
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
			r.pss = kb
		case "Private_Dirty:":
			r.privateDirty = kb
		case "Private_Clean:":
			r.privateClean = kb
		}
	}
	return r, nil
}
