package e2e

import (
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
