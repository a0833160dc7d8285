package rules

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"rexecd/pkg/settings"
)

// The manual's examples are files that the server takes, tests of their own included,
// and each setting has one.
func TestTheManualsExamplesAreRulesThatWork(t *testing.T) {
	text, err := os.ReadFile("../../../cmd/rexecd/rexecd.toml.5")
	if err != nil {
		t.Fatal(err)
	}
	_, manual, _ := strings.Cut(string(text), "\n.Sh RULES\n")
	manual, _, _ = strings.Cut(manual, "\n.Sh NOT BUILT")
	var all string
	for _, m := range regexp.MustCompile(`(?s)\n\.Bd [^\n]*\n(.*?)\n\.Ed`).FindAllStringSubmatch(manual, -1) {
		example := strings.NewReplacer(`\e`, `\`, `\&`, "").Replace(m[1])
		if _, err := read(t, example); err != nil {
			t.Errorf("%s\n%v", example, err)
		}
		all += example + "\n"
	}
	name := regexp.MustCompile(`([a-z])([A-Z])`)
	for _, table := range []reflect.Type{reflect.TypeFor[settings.Rule](), reflect.TypeFor[settings.Test]()} {
		for i := range table.NumField() {
			key := strings.ToLower(name.ReplaceAllString(table.Field(i).Name, "${1}_$2"))
			if !regexp.MustCompile(`(?m)^\.It Cm (.* , )?` + key + `( ,.*)?$`).MatchString(manual) {
				t.Errorf("rexecd.toml(5) does not describe %s.%s", table.Name(), key)
			}
			optional := table.Name() == "Test" && (key == "to" || key == "service")
			if !optional && !strings.Contains(all, "\n"+key+" = ") {
				t.Errorf("rexecd.toml(5) has no example of %s.%s", table.Name(), key)
			}
		}
	}
}

// The rule in the shipped file's comments works once they are taken away.
func TestTheShippedFilesRuleWorks(t *testing.T) {
	text, err := os.ReadFile("../../../packaging/rexecd.toml")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "# [[rule]]\n")
	if at < 0 {
		t.Fatal("the shipped file shows no rule")
	}
	rules, err := read(t, strings.ReplaceAll(string(text[at:]), "# ", ""))
	if err != nil || len(rules) != 1 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}
