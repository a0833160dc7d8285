// Package release looks at what `make dist` makes: the same bytes anywhere, hardened, and clean
// for Debian's checkers.
package release

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../../"

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// The second build starts from the source tarball of the first, in a folder of another name and
// length, with another umask, time zone and language.
func TestTheReleaseIsTheSameBytesAnywhere(t *testing.T) {
	one, two := t.TempDir()+"/a", t.TempDir()+"/somewhere/else"
	for _, dir := range []string{one, two} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copySource(t, one)
	first := dist(t, one, "umask 022", nil)
	run(t, two, nil, "sh", "-c", `tar --strip-components=1 -xzf "$1"/dist/rexecd-[0-9]*[0-9].tar.gz`, "sh", one)
	second := dist(t, two, "umask 077", []string{"TZ=Asia/Kathmandu", "LC_ALL=C.UTF-8", "HOSTNAME=elsewhere"})
	if first != second {
		t.Errorf("SHA256SUMS differ:\n%s\n%s", first, second)
	}
	for _, want := range []string{".deb", ".rpm", ".tar.gz", "-vendor.tar.gz", "in.rexecd-", ".cdx.json"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in dist/:\n%s", want, first)
		}
	}
	bill(t, filepath.Join(one, "dist"))
	buildsWithoutNetwork(t, filepath.Join(one, "dist"))
}

// A distribution's builder has the tarball with the modules, and neither a network nor the cache
// of somebody who had.
func buildsWithoutNetwork(t *testing.T, dist string) {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, nil, "sh", "-c", `tar --strip-components=1 -xzf "$1"/rexecd-[0-9]*-vendor.tar.gz`, "sh", dist)
	env := []string{"GOMODCACHE=" + dir + "/none", "GOTOOLCHAIN=local"}
	run(t, dir, env, "unshare", "--net", "make", "-s", "build")
	for _, p := range []string{"in.rexecd", "rexecd", "rexec", "in.rshd", "rsh"} {
		if _, err := os.Stat(dir + "/build/" + p); err != nil {
			t.Error(err)
		}
	}
	run(t, dir, env, "unshare", "--net", "go", "test", "./pkg/rexec/wire", "./pkg/settings")
	if _, err := os.Stat(dir + "/none"); err == nil {
		t.Error("modules were fetched: the tarball lacks some")
	}
}

// useTools gives dir the tools: they are pinned and built already; a symbolic link is newer than
// their go.sum.
func useTools(t *testing.T, dir string) {
	t.Helper()
	tools, err := filepath.Abs(root + "build/tools")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir+"/build", 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, "cp", "-r", tools, dir+"/build/tools")
}

func dist(t *testing.T, dir, before string, env []string) string {
	t.Helper()
	useTools(t, dir)
	run(t, dir, env, "sh", "-c", before+" && make -s dist")
	run(t, dir+"/dist", nil, "sha256sum", "--check", "--quiet", "SHA256SUMS")
	sums, err := os.ReadFile(dir + "/dist/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	return string(sums)
}

// The SPDX ids of what we link; another one is a decision.
var spdx = regexp.MustCompile(`^(BSD-2-Clause|BSD-3-Clause|MIT|Apache-2\.0|LGPL-2\.1-or-later|BSD-3-Clause OR GPL-2\.0-or-later)$`)

// bill compares the bills of materials with what the programs say of themselves, and with the
// licences that we ship.
func bill(t *testing.T, dir string) {
	t.Helper()
	licences, err := os.ReadFile(root + "packaging/copyright")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"in.rexecd", "rexecd", "rexec", "in.rshd", "rsh"} {
		files, _ := filepath.Glob(dir + "/" + program + "-[0-9]*.cdx.json")
		if len(files) != 1 {
			t.Fatalf("bills of %s: %v", program, files)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			BomFormat, SpecVersion string
			Components             []struct {
				Name, Version, PURL string
				Licenses            []struct {
					License    struct{ ID string }
					Expression string
				}
			}
		}
		if err := json.Unmarshal(text, &doc); err != nil || doc.BomFormat != "CycloneDX" || doc.SpecVersion != "1.5" {
			t.Fatalf("%s: %v, %s %s", files[0], err, doc.BomFormat, doc.SpecVersion)
		}
		var listed []string
		for _, c := range doc.Components {
			listed = append(listed, c.Name+" "+c.Version)
			if len(c.Licenses) != 1 || !spdx.MatchString(c.Licenses[0].License.ID+c.Licenses[0].Expression) {
				t.Errorf("%s: the licences of %s are %+v; want one SPDX id or expression", program, c.Name, c.Licenses)
			}
		}
		info, err := buildinfo.ReadFile(filepath.Dir(dir) + "/build/" + program)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range info.Deps {
			if !slices.Contains(listed, m.Path+" "+m.Version) {
				t.Errorf("%s: %s %s is linked and not in %q", program, m.Path, m.Version, listed)
			}
			if !strings.Contains(string(licences), m.Path) {
				t.Errorf("packaging/copyright says nothing of %s", m.Path)
			}
		}
	}
}

func TestTheServerIsHardened(t *testing.T) {
	f, err := elf.Open(root + "build/in.rexecd")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		t.Errorf("type %v: not position independent", f.Type)
	}
	var relro bool
	for _, p := range f.Progs {
		relro = relro || p.Type == elf.PT_GNU_RELRO
		if p.Type == elf.PT_GNU_STACK && p.Flags&elf.PF_X != 0 {
			t.Error("the stack is executable")
		}
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
			t.Error("a segment is writable and executable")
		}
	}
	now, err := f.DynValue(elf.DT_FLAGS)
	if err != nil || len(now) != 1 || elf.DynFlag(now[0])&elf.DF_BIND_NOW == 0 || !relro {
		t.Errorf("DT_FLAGS %v, %v, RELRO segment %v: not full RELRO", now, err, relro)
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	canary := false
	for _, s := range symbols {
		canary = canary || s.Name == "__stack_chk_fail"
		// nfpm's dependency is written by hand: libc6 (>= 2.34), libc.so.6(GLIBC_2.34).
		if v, ok := strings.CutPrefix(s.Version, "GLIBC_2."); ok && (len(v) > 2 && v[:2] > "34" || len(v) == 2 && v > "34") {
			t.Errorf("%s needs %s: raise the dependency in packaging/nfpm/rexecd.yaml", s.Name, s.Version)
		}
	}
	if !canary {
		t.Error("no stack protector in the C code")
	}
	if libs, _ := f.ImportedLibraries(); !slices.Equal(libs, []string{"libpam.so.0", "libc.so.6"}) {
		t.Errorf("shared libraries %q; the packages' dependencies name libpam.so.0 and libc.so.6", libs)
	}
}

// A dynamic linker that does not read packed relocations refuses the program, and so the package
// must refuse its host.
func TestThePackagesNeedTheLinkerOfTheProgram(t *testing.T) {
	for _, relr := range []string{"yes", "no"} {
		dir := t.TempDir()
		copySource(t, dir)
		useTools(t, dir)
		run(t, dir, nil, "make", "-s", "deb", "rpm", "RELR="+relr)
		marked := strings.Contains(run(t, dir, nil, "readelf", "-VW", "build/in.rexecd"), "GLIBC_ABI_DT_RELR")
		deb := run(t, dir, nil, "sh", "-c", "dpkg-deb -f build/packages/rexecd_*.deb Depends")
		rpm := run(t, dir, nil, "sh", "-c", "rpm -qpR build/packages/rexecd-*-1.x86_64.rpm")
		if marked != (relr == "yes") || strings.Contains(deb, "libc6 (>= 2.36)") != marked || strings.Contains(deb, "libc6 (>= 2.34)") == marked {
			t.Errorf("RELR=%s: packed %v, the deb depends on %s", relr, marked, deb)
		}
		if strings.Contains(rpm, "libc.so.6(GLIBC_ABI_DT_RELR)(64bit)\n") != marked || !strings.Contains(rpm, "libc.so.6(GLIBC_2.34)(64bit)\n") {
			t.Errorf("RELR=%s: packed %v, the rpm requires\n%s", relr, marked, rpm)
		}
	}
}

func TestTheClientIsStatic(t *testing.T) {
	f, err := elf.Open(root + "build/rexec")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("segment %v: the client is linked dynamically", p.Type)
		}
	}
}

func TestNoFolderOfTheBuildIsInThePrograms(t *testing.T) {
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"in.rexecd", "rexecd", "rexec", "in.rshd", "rsh"} {
		text, err := os.ReadFile(root + "build/" + p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), dir) {
			t.Errorf("%s holds the path %s", p, dir)
		}
	}
}

func TestLintianFindsNothing(t *testing.T) {
	packages, _ := filepath.Glob(root + "build/packages/*.deb")
	if len(packages) == 0 {
		t.Fatal("no packages; run make deb")
	}
	out := run(t, ".", nil, "lintian", append([]string{"--fail-on", "error,warning", "--allow-root"}, packages...)...)
	if strings.Contains(out, "E: ") || strings.Contains(out, "W: ") {
		t.Error(out)
	}
}
