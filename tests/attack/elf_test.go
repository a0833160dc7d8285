package attack

import (
	"debug/elf"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// linked is the server as `make build` with these variables links it.
func linked(t *testing.T, variables ...string) *elf.File {
	t.Helper()
	path := openDir(t) + "/in.rexecd"
	build := exec.Command("make", append([]string{"-C", "../..", "--no-print-directory", "-s", "build/in.rexecd", "-n"}, variables...)...)
	recipe, err := build.Output()
	if err != nil {
		t.Fatalf("make -n: %v", err)
	}
	// The recipe itself, into another file: `make check` may be using the real one.
	script := strings.ReplaceAll(string(recipe), "-o build/in.rexecd", "-o "+path)
	cmd := exec.Command("bash", "-euc", script)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// What Debian's hardening=+all asks for.
func TestTheServerIsLinkedHardened(t *testing.T) {
	t.Parallel()
	f := linked(t)
	if f.Type != elf.ET_DYN {
		t.Errorf("not position-independent: %v", f.Type)
	}
	var relro, stack bool
	for _, p := range f.Progs {
		switch {
		case p.Type == elf.PT_GNU_RELRO:
			relro = true
		case p.Type == elf.PT_GNU_STACK:
			stack = true
			if p.Flags&elf.PF_X != 0 {
				t.Error("the stack is executable")
			}
		}
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
			t.Errorf("a segment at %#x is both writable and executable", p.Vaddr)
		}
	}
	if !relro || !stack {
		t.Errorf("PT_GNU_RELRO %v, PT_GNU_STACK %v", relro, stack)
	}
	bindNow := false
	for _, tag := range []struct {
		tag  elf.DynTag
		flag uint64
	}{{elf.DT_FLAGS, 8}, {elf.DT_FLAGS_1, 1}} { // DF_BIND_NOW, DF_1_NOW
		values, err := f.DynValue(tag.tag)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			bindNow = bindNow || v&tag.flag != 0
		}
	}
	if !bindNow {
		t.Error("symbols are bound lazily: the table of addresses stays writable")
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		if paths, _ := f.DynString(tag); len(paths) > 0 {
			t.Errorf("%v = %q: libraries are looked for elsewhere", tag, paths)
		}
	}
	if values, _ := f.DynValue(elf.DT_TEXTREL); len(values) > 0 {
		t.Error("the code is relocated, so written to")
	}
	imported, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range imported {
		names[s.Name] = true
	}
	if !names["__stack_chk_fail"] {
		t.Error("the C code has no stack protector")
	}
	for _, never := range []string{"gets", "strcpy", "strcat", "sprintf", "vsprintf", "system", "popen", "alloca", "tmpnam", "mktemp"} {
		if names[never] {
			t.Errorf("%s is imported", never)
		}
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, lib := range libraries {
		if name, _, _ := strings.Cut(lib, ".so"); name != "libpam" && name != "libc" && name != "libdl" && name != "ld-linux-x86-64" && name != "ld-linux-aarch64" && name != "libpthread" && name != "libresolv" {
			t.Errorf("linked with %s", lib)
		}
	}
	t.Logf("libraries %v, %d imported symbols", libraries, len(imported))
}

// The tables that the dynamic linker writes to before it makes them read-only are a fraction of
// the size: DT_RELR holds them. RELR=no must leave a program that a glibc before 2.36 starts, so
// without the version that only a later one has.
func TestRelocationsArePackedUnlessTurnedOff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		relr   string
		packed bool
	}{{"yes", true}, {"no", false}} {
		f := linked(t, "RELR="+tt.relr)
		tables, err := f.DynValue(elf.DynTag(36)) // DT_RELR
		if err != nil || len(tables) == 1 != tt.packed {
			t.Errorf("RELR=%s: DT_RELR %#x, %v; want one: %v", tt.relr, tables, err, tt.packed)
		}
		needed, err := f.DynamicVersionNeeds()
		if err != nil {
			t.Fatal(err)
		}
		var marked bool
		for _, lib := range needed {
			for _, v := range lib.Needs {
				marked = marked || v.Dep == "GLIBC_ABI_DT_RELR"
			}
		}
		if marked != tt.packed {
			t.Errorf("RELR=%s: needs %v; want GLIBC_ABI_DT_RELR in it: %v", tt.relr, needed, tt.packed)
		}
		if data := f.Section(".rela.dyn"); data == nil || tt.packed && data.Size > 16<<10 {
			t.Errorf("RELR=%s: .rela.dyn %+v", tt.relr, data)
		}
	}
}

// The C sources, by the compiler's own analysis and with every warning that is worth one.
func TestTheCSourcesAreCleanUnderTheAnalyser(t *testing.T) {
	t.Parallel()
	lab.Run(t, "sh", "-ec", `cd ../..
for f in pkg/session/*.c pkg/login/*.c cmd/in.rexecd/*/*.c; do
	cc -std=gnu11 -O2 -Wall -Wextra -Werror -Wformat=2 -Wconversion -Wshadow -Wstrict-prototypes -fanalyzer -c -o /dev/null "$f"
done`)
}

func TestTheCSourcesAreCleanUnderCppcheck(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("cppcheck"); err != nil {
		t.Fatal("cppcheck is missing: it is in tests/packages.txt (make deps)")
	}
	lab.Run(t, "sh", "-ec", `cd ../..
cppcheck -q --std=c11 --enable=warning,portability,performance --inconclusive --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem pkg/session pkg/login cmd/in.rexecd`)
}
