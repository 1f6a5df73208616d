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

// silenceScript looks at a host: began, now, whether it answered, when something last came.
const silenceScript = `
import sys
sys.path.insert(0, sys.argv[1])
import fast_failover_steps
for name, looks in (
        ("it answers", [(0, 0.1, True), (0.6, 0.7, True)]),
        ("silent since the look", [(0, 0.1, True), (0.6, 0.9, False), (1, 1.2, False)]),
        ("something came after the look before", [(0, 0.1, True), (0.6, 0.9, False, 0.4), (1, 1.2, False, 0.4)]),
        ("idle for long, and not asked", [(0, 0.1, True), (0.6, 0.9, False, -50)]),
        ("something comes in the silence", [(0, 0.1, True), (0.6, 0.9, False, 0.2), (1, 1.2, False, 1.1)]),
        ("never asked before", [(7, 7.3, False, 1)]),
        ("asleep in between", [(0, 0.1, True), (0.6, 0.9, False), (9, 9.2, False, 0.2)]),
        ("it answers again", [(0, 0.1, False), (0.6, 0.7, False), (0.8, 0.9, True), (1, 1.2, False)])):
    silence = fast_failover_steps.Silence()
    print(name, *("%.1f" % silence.look(*look) for look in looks))
`

// TestSilence: it lasts from the last sign of life, however that came, and no longer than somebody
// has listened.
func TestSilence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fast_failover_steps.py")
	if err := os.WriteFile(path, failover.Steps(), 0o600); err != nil {
		t.Fatal(err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	out, err := exec.CommandContext(t.Context(), python, "-I", "-B", "-c", silenceScript,
		dir).CombinedOutput()
	const want = `it answers 0.0 0.0
silent since the look 0.0 0.3 0.6
something came after the look before 0.0 0.5 0.8
idle for long, and not asked 0.0 0.8
something comes in the silence 0.0 0.7 0.1
never asked before 0.3
asleep in between 0.0 0.3 0.2
it answers again 0.1 0.7 0.0 0.2
`
	if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// fenceScript sets and lifts a fence in a network of its own, which has no other route.
const fenceScript = `
import sys
sys.path.insert(0, sys.argv[1])
import agent
fence = agent.Fence(sys.argv[1])
record = agent.steps.Record("m1", 3, 5.0, 80.0)
print("closed port answers", agent.answers([("127.0.0.1", 1)], 0.5))
print("no route answers", agent.answers([("192.0.2.7", 1), ("192.0.2.7", 2)], 0.5))
for address in "192.0.2.7", "2001:db8::7":
    print("no route is a fence", agent.prohibited(address))
    print("set", fence.set(record, address), fence.set(record, address))
    print("fence", agent.prohibited(address), agent.answers([(address, 1)], 0.5), fence.read() == (record, address))
    print("lift", fence.lift(), agent.prohibited(address), fence.read()[0], fence.lift())
aside, both = agent.Aside(sys.argv[1]), ["192.0.2.8", "2001:db8::8"]
aside.set(both)
print("aside", [agent.prohibited(a) for a in both], agent.Aside(sys.argv[1]).addresses() == both, aside.stale())
agent.LEFT = -1.0
print("nobody wants it", aside.stale(), aside.lift(), [agent.prohibited(a) for a in both], aside.addresses(), aside.stale(), aside.lift())
`

// TestFenceIsARoute asks the kernel: what a fence is for, and that no packet getting out for lack
// of any route is no fence.
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
	want := "closed port answers True\nno route answers False\n" + one + one +
		"aside [True, True] True False\n" +
		"nobody wants it True True [False, False] [] False True\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, stderr.String())
	}
}

// asideScript goes through what a leader's agent sees, one look a line: the time, who leads by etcd
// ("-" when it does not answer), for how long no other member has answered, and whether Patroni
// says that it leads.
const asideScript = `
import sys
sys.path.insert(0, sys.argv[1])
import fast_failover_steps as steps
def view(leader, voters="m2,m3", paused=False):
    return None if leader == "-" else steps.View(leader, 1, leader, frozenset(filter(None, voters.split(","))), 1, paused, 1, 30, 10, 1, {}, {})
for name, looks in (
        ("etcd away for a moment", [(0, view("m1"), 0, True), (2, None, 2, True), (4, view("m1"), 9, True)]),
        ("another member answers", [(0, view("m1"), 0, True), (9, None, 0, True), (12, None, 1.4, True)]),
        ("alone", [(0, view("m1"), 0, True), (2.9, None, 2, True), (3, None, 2, True), (5, None, 4, True), (9, None, 0, True)]),
        ("another leads by then", [(0, view("m1"), 0, True), (5, None, 2, True), (9, view("m2"), 0, True), (11, view("m2"), 0, False)]),
        ("it leads on", [(0, view("m1"), 0, True), (5, None, 2, True), (9, view("m1"), 5, True)]),
        ("paused", [(0, view("m1", paused=True), 0, True), (9, None, 9, True)]),
        ("no voters", [(0, view("m1", ""), 0, True), (9, None, 9, True)]),
        ("a replica", [(0, view("m2"), 0, False), (9, None, 9, False)]),
        ("never saw etcd", [(9, None, 9, True)])):
    aside, said = steps.Aside(3.0), []
    for now, seen, silent, primary in looks:
        looking = aside.alone(now, seen, "m1")
        step = aside.next(now, seen, "m1", silent, lambda: primary)
        aside.standing = step == "aside" or aside.standing and step != "return"
        said.append(("looks " if looking else "") + (step or "-"))
    print(name + ":", *said, sep="|")
`

// TestAside: a leader stands aside only while neither etcd nor anybody else answers, and no commit
// could be completed; it comes back when somebody does, and where another leads by then not before
// its own Patroni knows that.
func TestAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fast_failover_steps.py"), failover.Steps(),
		0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "python3", "-I", "-B", "-c", asideScript,
		dir).CombinedOutput()
	const want = `etcd away for a moment:|-|looks -|-
another member answers:|-|looks -|looks -
alone:|-|looks -|looks aside|looks -|looks return
another leads by then:|-|looks aside|looks -|looks return
it leads on:|-|looks aside|looks return
paused:|-|-
no voters:|-|-
a replica:|-|-
never saw etcd:|-
`
	if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
