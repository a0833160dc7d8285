package settings

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// uncommented is the shipped file with the settings in its comments in force.
func uncommented(shipped string) string {
	return regexp.MustCompile(`(?m)^#(\[|[a-z0-9_]+ = )`).ReplaceAllString(shipped, "$1")
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheShippedFileShowsEverySettingWithItsDefault(t *testing.T) {
	shipped := readText(t, "../../packaging/rexecd.toml")
	if s, from, err := decodeServer(shipped); err != nil || len(from.origins) > 0 ||
		!reflect.DeepEqual(s, DefaultServer()) {
		t.Errorf("as it is shipped: %v, %v", err, s)
	}
	var from Sources
	s := new(Server) // nothing in it is a default
	if err := from.decode("FILE", []byte(uncommented(shipped)), s.keys()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, set := range DefaultServer().Effective(Sources{}) {
		want[set.Key] = set.Value
	}
	for _, set := range s.Effective(from) {
		if set.Origin.File == "" {
			t.Errorf("the file does not have %s", set.Key)
		} else if set.Value != want[set.Key] {
			t.Errorf("line %d: %s = %s; the default is %s", set.Origin.Line, set.Key, set.Value, want[set.Key])
		}
	}
}

func TestTheServersManualHasEverySettingWithItsDefault(t *testing.T) {
	text := readText(t, "../../cmd/rexecd/rexecd.toml.5")
	text = regexp.MustCompile(`(?m)^\.Cm (\[[a-z]+\]) ,$`).ReplaceAllString(text, ".It Xx $1") // the tables' paragraphs
	s := new(Server)
	got := decodeManual(t, text, s.keys())
	checkDefaults(t, got, s.Effective, DefaultServer().Effective(Sources{}))
}

func TestTheClientsManualHasEverySettingWithItsDefault(t *testing.T) {
	c := new(Client)
	got := decodeManual(t, readText(t, "../../cmd/rexec/rexec.toml.5"), c.keys())
	effective := func(from Sources) []Setting { return from.effective(c.keys(), "") }
	checkDefaults(t, got, effective, Sources{}.effective(defaultClient().keys(), ""))
}

// decodeManual decodes the items of a manual's lists: ".It Cm key No = Cm
// default", or "No = none" (or any) for a setting that limits nothing.
func decodeManual(t *testing.T, text string, keys table) Sources {
	t.Helper()
	var lines, words []string
	for _, m := range regexp.MustCompile(`(?m)^\.It (?:Xx (\S+)|Cm (\S+) No = (?:Cm (\S+)|Qq(?: Cm (\S+))?|(none|any)))$`).FindAllStringSubmatch(text, -1) {
		switch {
		case m[1] != "":
			lines = append(lines, m[1])
		case m[3] == "" && m[5] == "":
			lines = append(lines, m[2]+` = "`+m[4]+`"`)
		case m[5] != "":
			words = append(words, m[2])
		default:
			lines = append(lines, m[2]+" = "+m[3])
		}
	}
	var from Sources
	if err := from.decode("MANUAL", []byte(strings.Join(lines, "\n")), keys); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(lines, "\n"))
	}
	for _, key := range words {
		if keys.find(key) == nil {
			t.Errorf("the manual has %s, which is no setting", key)
		}
		from.origins[key] = Origin{File: "MANUAL"}
	}
	return from
}

func checkDefaults(t *testing.T, from Sources, effective func(Sources) []Setting, defaults []Setting) {
	t.Helper()
	for i, set := range effective(from) {
		if set.Origin.File == "" {
			t.Errorf("the manual does not have %s", set.Key)
		} else if want := defaults[i].Value; set.Value != want {
			t.Errorf("the manual has %s = %s; the default is %s", set.Key, set.Value, want)
		}
	}
}
