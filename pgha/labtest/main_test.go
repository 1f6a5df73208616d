package labtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is pgha-cli, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if !labWanted() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "pgha-labtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pgha-cli")
	if out, err := exec.Command("go", "build", "-o", binary,
		"github.com/pgha/toolkit/cmd/pgha-cli").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build pgha-cli: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func labWanted() bool { return os.Getenv("PGHA_LAB") == "1" }

// soak reports whether the run is one of hours, `make soak`, rather than one of `make test`.
func soak() bool { return os.Getenv("PGHA_SOAK") == "1" }

// times returns how many times a test repeats what no single try can show.
func times(normally, soaking int) int {
	if soak() {
		return soaking
	}
	return normally
}
