//go:build !amd64

package main

// deniedHere are the older forms of denied calls.
var deniedHere []uint32
