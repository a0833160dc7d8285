package penalty

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("PENALTY_TEST_ADD"); dir != "" { // the child of the test that kills writers
		table := newTable(dir)
		for i := 0; ; i++ {
			table.Add(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), "", AuthFail)
		}
	}
	os.Exit(m.Run())
}

func TestManyWritersLoseNothing(t *testing.T) {
	table := newTable(t.TempDir())
	table.Amount[NoAuth], table.Max = time.Second, 100*time.Hour
	var writers sync.WaitGroup
	const each, many = 50, 8
	for range many {
		writers.Add(1)
		go func() {
			defer writers.Done()
			for range each {
				if _, err := table.Add(addr("192.0.2.1"), "", NoAuth); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	writers.Wait()
	list, err := table.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("List = %v, %v", list, err)
	}
	if left := list[0].Left; left > each*many*time.Second || left < (each*many-20)*time.Second {
		t.Errorf("%v left of %d seconds", left, each*many)
	}
}

func TestKilledWritersLeaveAUsableState(t *testing.T) {
	dir := t.TempDir()
	table := newTable(dir)
	fail(t, table, "192.0.2.1", AuthFail, 100)
	for range 10 {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), "PENALTY_TEST_ADD="+dir)
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		// In the midst of writing, as the time of the last write shows.
		path := filepath.Join(table.Dir, stateName)
		written := func() time.Time { st, _ := os.Stat(path); return st.ModTime() }
		before, deadline := written(), time.Now().Add(20*time.Second)
		for written().Equal(before) && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		writer.Process.Kill()
		writer.Wait()
		if !refused(t, table, "192.0.2.1") {
			t.Fatal("the penalty is lost")
		}
		fail(t, table, "192.0.2.2", NoAuth, 1) // the lock is free
	}
}
