package job

import (
	"fmt"
	"strings"
)

// Find finds an option by its letter, or by its name where that is 0: what sets it, and
// whether it takes a value. Without one, set gets "".
type Find func(letter byte, name string) (set func(value string) error, takesValue, ok bool)

// ParseOptions takes options from the front of args and returns the rest.
func ParseOptions(args []string, find Find) ([]string, error) {
	for len(args) > 0 {
		arg := args[0]
		switch {
		case arg == "--":
			return args[1:], nil
		case len(arg) < 2 || arg[0] != '-':
			return args, nil
		}
		var err error
		if strings.HasPrefix(arg, "--") {
			args, err = parseLong(find, args)
		} else {
			args, err = parseLetters(find, args)
		}
		if err != nil {
			return nil, err
		}
	}
	return args, nil
}

func parseLong(find Find, args []string) ([]string, error) {
	name, value, hasValue := strings.Cut(args[0][2:], "=")
	args = args[1:]
	set, takesValue, ok := find(0, name)
	switch {
	case !ok:
		return nil, fmt.Errorf("no such option: --%s", name)
	case hasValue && !takesValue:
		return nil, fmt.Errorf("--%s takes no value", name)
	case takesValue && !hasValue && len(args) == 0:
		return nil, fmt.Errorf("--%s needs a value", name)
	case takesValue && !hasValue:
		value, args = args[0], args[1:]
	}
	return args, named(set(value), "--"+name)
}

// parseLetters reads "-an", "-lpaul", "-l paul".
func parseLetters(find Find, args []string) ([]string, error) {
	letters := args[0][1:]
	args = args[1:]
	for i := 0; i < len(letters); i++ {
		set, takesValue, ok := find(letters[i], "")
		if !ok {
			return nil, fmt.Errorf("no such option: -%c", letters[i])
		}
		if !takesValue {
			if err := set(""); err != nil {
				return nil, named(err, "-"+letters[i:i+1])
			}
			continue
		}
		value := letters[i+1:]
		if value == "" {
			if len(args) == 0 {
				return nil, fmt.Errorf("-%c needs a value", letters[i])
			}
			value, args = args[0], args[1:]
		}
		return args, named(set(value), "-"+letters[i:i+1])
	}
	return args, nil
}

func named(err error, option string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", option, err)
}
