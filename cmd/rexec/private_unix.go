//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// checkPrivate refuses a file with a password in it that others own or may
// open. A pipe, as from the shell's <(pass show host), is nobody else's.
func checkPrivate(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		if info.IsDir() {
			return fmt.Errorf("%s is a directory", path)
		}
		return nil
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d): not used; make a copy of your own", path, owner.Uid)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be opened by others (mode %03o): not used; run: chmod 600 %s", path, info.Mode().Perm(), shellWord(path))
	}
	return nil
}

// shellWord quotes a path for the command that is shown.
func shellWord(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`*?[]{}()<>|&;~#!") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
