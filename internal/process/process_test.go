package process

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestGone(t *testing.T) {
	t.Parallel()
	me := Identity(os.Getpid())
	if me == "" {
		t.Skip("no /proc here")
	}
	if Gone(me) {
		t.Errorf("%q is said to be gone", me)
	}
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	id := Identity(child.Process.Pid)
	if id == "" || id == me || Gone(id) {
		t.Errorf("the child is %q, gone: %v", id, Gone(id))
	}
	f := strings.Fields(me)
	for what, other := range map[string]string{
		"nothing":           "",
		"words":             "anna's process, number four",
		"another machine":   strings.Replace(id, f[0], "00000000-0000-4000-8000-000000000000", 1),
		"another container": strings.Replace(id, f[1], "pid:[1]", 1),
		"no number":         f[0] + " " + f[1] + " -1 5",
	} {
		if Gone(other) {
			t.Errorf("%s is said to be gone: %q", what, other)
		}
	}
	if reused := strings.Join([]string{f[0], f[1], f[2], "1"}, " "); !Gone(reused) {
		t.Errorf("%q, whose number another process has, is said to run", reused)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if !Gone(id) {
		t.Errorf("%q is said to run", id)
	}
	if Gone(me) {
		t.Errorf("%q is said to be gone", me)
	}
}
