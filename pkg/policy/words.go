package policy

import (
	"errors"
	"fmt"
	"strings"
)

// special are the characters that mean something to a shell outside quotes, and
// are refused there.
const special = "\n;&|<>()$`*?[]{}#~!"

// Split splits a command into words as sh(1) does, of whose language it knows
// spaces and tabs, '...', "..." and \. Everything else of it is an error, which
// names the character.
func Split(line string) ([]string, error) {
	var words []string
	var word []byte
	begun := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == ' ' || c == '\t':
			if begun {
				words = append(words, string(word))
			}
			word, begun = word[:0], false
			continue
		case c == '\'':
			n := strings.IndexByte(line[i+1:], c)
			if n < 0 {
				return nil, errors.New("a ' has no end")
			}
			word = append(word, line[i+1:i+1+n]...)
			i += n + 1
		case c == '"':
			n, err := 0, error(nil)
			if word, n, err = quoted(word, line[i+1:]); err != nil {
				return nil, err
			}
			i += n
		case c == '\\':
			if i++; i == len(line) || line[i] == '\n' {
				return nil, errors.New(`a \ at the end of a line`)
			}
			word = append(word, line[i])
		case strings.IndexByte(special, c) >= 0, c == '=' && len(words) == 0: // VARIABLE=value
			return nil, fmt.Errorf("%q outside quotes means something to a shell, and there is none", c)
		default:
			word = append(word, c)
		}
		begun = true
	}
	if begun {
		words = append(words, string(word))
	}
	switch {
	case strings.IndexByte(line, 0) >= 0:
		return nil, errors.New("a NUL")
	case len(words) == 0 || words[0] == "":
		return nil, errors.New("no program")
	}
	return words, nil
}

// quoted appends what stands before the next ", and returns how many bytes of the
// text that took, the quote among them.
func quoted(word []byte, text string) ([]byte, int, error) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return word, i + 1, nil
		case c == '$' || c == '`':
			return nil, 0, fmt.Errorf("%q in double quotes means something to a shell, and there is none", c)
		case c == '\\' && strings.HasPrefix(text[i+1:], "\n"):
			return nil, 0, errors.New(`a \ at the end of a line`)
		case c == '\\' && i+1 < len(text) && strings.IndexByte("$`\"\\", text[i+1]) >= 0:
			i++
			word = append(word, text[i])
		default:
			word = append(word, c)
		}
	}
	return nil, 0, errors.New(`a " has no end`)
}
