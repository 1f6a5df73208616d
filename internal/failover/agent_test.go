package failover_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/failover"
)

// fenceScript sets and lifts a fence in a network of its own, which has no other route.
const fenceScript = `
import sys
sys.path.insert(0, sys.argv[1])
import agent
fence = agent.Fence(sys.argv[1])
record = agent.steps.Record("m1", 3, 5.0, 80.0)
print("closed port answers", agent.answers("127.0.0.1", [1], 0.5))
print("no route answers", agent.answers("192.0.2.7", [1, 2], 0.5))
for address in "192.0.2.7", "2001:db8::7":
    print("no route is a fence", agent.prohibited(address))
    print("set", fence.set(record, address), fence.set(record, address))
    print("fence", agent.prohibited(address), agent.answers(address, [1], 0.5), fence.read() == (record, address))
    print("lift", fence.lift(), agent.prohibited(address), fence.read()[0], fence.lift())
`

// TestFenceIsARoute asks the kernel: what a fence is for, and that no packet getting out for lack of
// any route is no fence.
func TestFenceIsARoute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"agent.py": failover.Agent(),
		"fast_failover_steps.py": failover.Steps()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if exec.Command("unshare", "-rn", "sh", "-c", "ip link set lo up && command -v python3").Run() != nil {
		t.Skip("no network of its own, or no ip or python3")
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-rn", "sh", "-c",
		`ip link set lo up && exec python3 -I -B -c "$0" "$1"`, fenceScript, dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	const one = `no route is a fence False
set True True
fence True False True
lift True False None True
`
	want := "closed port answers True\nno route answers False\n" + one + one
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, stderr.String())
	}
}
