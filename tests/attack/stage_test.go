package attack

import (
	"os"
	"os/exec"
	"testing"
)

// The stage between fork and exec, with the compiler watching every access and every operation.
func TestTheStageBetweenForkAndExecIsCleanUnderSanitizers(t *testing.T) {
	t.Parallel()
	bin := compile(t, "stage.c", "../../pkg/session/start.c", "-I../../pkg/session", "-g",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0", "UBSAN_OPTIONS=print_stacktrace=1")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
