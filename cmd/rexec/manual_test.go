package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whoever adds an option tells everybody: the manual, the help, both shells,
// and a script that tries it.
func TestEveryOptionIsDocumentedAndTried(t *testing.T) {
	manual := read(t, "rexec.1")
	bash, zsh := read(t, "../../packaging/completion/rexec.bash"), read(t, "../../packaging/completion/_rexec")
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts")
	}
	scripts := ""
	for _, file := range files {
		scripts += read(t, file)
	}
	for _, option := range optionTable() {
		if option.letter != 0 {
			letter := regexp.QuoteMeta(string(option.letter))
			for what, found := range map[string]bool{
				"rexec(1)": regexp.MustCompile(`(?m)^\.It Fl (\w , Fl -[\w-]+ , Fl |-[\w-]+ , Fl )?`+letter+` `).MatchString(manual) ||
					strings.Contains(manual, ", Fl "+string(option.letter)+" ,"),
				"--help": regexp.MustCompile(`(?m)^ +(.*  )?-`+letter+`, --`+option.name+` `).MatchString(usage+" ") ||
					regexp.MustCompile(`-`+letter+`, --`+option.name+`\b`).MatchString(usage),
				"bash completion": regexp.MustCompile(`[ ']-` + letter + `\s`).MatchString(bash),
				"zsh completion":  strings.Contains(zsh, "{-"+string(option.letter)),
				"a script":        regexp.MustCompile(`rexec[^\n]* -\w*` + letter).MatchString(scripts),
			} {
				if !found {
					t.Errorf("-%c is not in %s", option.letter, what)
				}
			}
		}
		for what, found := range map[string]bool{
			"rexec(1)":        regexp.MustCompile(`Fl -` + option.name + `\b`).MatchString(manual),
			"--help":          regexp.MustCompile(`--` + option.name + `\b`).MatchString(usage),
			"bash completion": regexp.MustCompile(`--` + option.name + `\b`).MatchString(bash),
			"zsh completion":  regexp.MustCompile(`--` + option.name + `\b`).MatchString(zsh),
		} {
			if !found {
				t.Errorf("--%s is not in %s", option.name, what)
			}
		}
		if option.letter == 0 && !regexp.MustCompile(`rexec [^\n]*--`+option.name+`\b`).MatchString(scripts) &&
			!strings.Contains(scripts, "$R --"+option.name) {
			t.Errorf("--%s is in no script", option.name)
		}
	}
}

func TestManualsAreClean(t *testing.T) {
	for _, manual := range []string{"rexec.1", "rexec.toml.5"} {
		if out, err := exec.Command("mandoc", "-Tlint", "-W", "warning", manual).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", manual, err, out)
		}
	}
}

// complete types words at bash, of which the last is being completed.
func complete(t *testing.T, words ...string) string {
	t.Helper()
	script := `. ../../packaging/completion/rexec.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_rexec
printf '%s ' "${COMPREPLY[@]}"`
	cmd := exec.Command("bash", append([]string{"-c", script, "bash"}, words...)...)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte("machine alpha login x password y\nmachine beta\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%q: %v, %s", words, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func TestBashCompletion(t *testing.T) {
	for _, row := range []struct{ typed, want string }{
		{"rexec --stat", "--status"},
		{"rexec alph", "alpha"},
		{"rexec -l root bet", "beta"},
		{"rexec -aN bet", "beta"},
		{"rexec --stderr = au", "auto"},
		{"rexec -q la", "late-stderr"},
		{"rexec alpha --timeo", "--timeout"},
		{"rexec -l roo", "root"},
	} {
		if got := complete(t, strings.Fields(row.typed)...); got != row.want {
			t.Errorf("%q completes to %q, want %q", row.typed, got, row.want)
		}
	}
}

// Host names are other people's: out of .netrc, hosts(5), a directory.
func TestCompletionRunsNothingOfWhatItCompletes(t *testing.T) {
	home := t.TempDir()
	netrc := "machine $(touch${IFS}" + home + "/ran) login a password b\nmachine `touch${IFS}" + home + "/ran` login a password b\nmachine alpha login a password b\n"
	if err := os.WriteFile(home+"/.netrc", []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", `. "$1"; COMP_WORDS=(rexec ""); COMP_CWORD=1; _rexec; printf '%s\n' "${COMPREPLY[@]}"`, "bash", "../../packaging/completion/rexec.bash")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "alpha\n") || strings.Contains(string(out), "touch") {
		t.Errorf("completes to %q, %v", out, err)
	}
	if _, err := os.Stat(home + "/ran"); err == nil {
		t.Error("a host's name was run")
	}
}

func TestZshCompletionParses(t *testing.T) {
	if out, err := exec.Command("zsh", "-n", "../../packaging/completion/_rexec").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
