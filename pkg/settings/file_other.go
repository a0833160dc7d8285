//go:build !linux

package settings

import "os"

func readFile(file string) ([]byte, error) { return os.ReadFile(file) }

func readDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}
