package main

import "os"

// checkPrivate does nothing where a mode says nothing: access lists rule, and
// a profile's folder is its owner's.
func checkPrivate(*os.File, string) error { return nil }
