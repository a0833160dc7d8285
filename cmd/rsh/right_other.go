//go:build !linux

package main

import "os"

// A right is that to bind reserved ports.
type right struct{ has, own bool }

// takeRight: elsewhere this program is never more than its caller.
func takeRight() *right { return &right{has: os.Getuid() <= 0, own: true} }

func (r *right) drop() {}

func (r *right) missing(int) string { return "run rsh as root" }
