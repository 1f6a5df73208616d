package failover_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/failover/model"
)

// simulate runs the agents' steps through schedules. It returns what was printed, and whether all
// went well.
func simulate(ctx context.Context, t *testing.T, args ...string) (string, bool) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	cmd := exec.CommandContext(ctx, python, append([]string{"-I", "-B", "simulation.py", "steps.py"},
		args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), err == nil
}

// TestNoScheduleBreaksAPromise: PGHA_SCHEDULES says how many there are, 4000 without it; make test
// asks for a hundred thousand.
func TestNoScheduleBreaksAPromise(t *testing.T) {
	t.Parallel()
	total := 4000
	if text := os.Getenv("PGHA_SCHEDULES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("PGHA_SCHEDULES: %v", err)
		}
		total = n
	}
	const parts = 4
	for part := range parts {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			each := total / parts
			out, ok := simulate(t.Context(), t, "--schedules", strconv.Itoa(each), "--seed",
				strconv.Itoa(part*each))
			if !ok {
				t.Fatalf("save what follows the first line, and replay it with\n"+
					"python3 simulation.py steps.py --replay FILE\n%s", out)
			}
			if strings.Contains(out, " 0 times") || strings.Contains(out, " 0 promotions") {
				t.Errorf("nothing ever happens: %s", out)
			}
			t.Log(out)
		})
	}
}

// TestScheduleThatAGuardPrevents replays schedules that random search has found when a guard was
// taken out of the real steps: they break a promise without it, and none with it.
func TestScheduleThatAGuardPrevents(t *testing.T) {
	t.Parallel()
	for _, guard := range []string{"again", "lift", "sever"} {
		t.Run(guard, func(t *testing.T) {
			t.Parallel()
			schedule := filepath.Join("testdata", guard+".schedule")
			said, ok := simulate(t.Context(), t, "--replay", schedule, "--without", guard)
			if ok || !strings.Contains(said, "was acknowledged, and m") {
				t.Errorf("without the guard it goes well: %s", said)
			}
			if said, ok := simulate(t.Context(), t, "--replay", schedule); !ok ||
				!strings.HasPrefix(said, "nothing went wrong; m") {
				t.Errorf("with the guard: %s", said)
			}
		})
	}
}

// TestStepsAreThoseOfTheModel: the code says at each step which one of the model it is.
func TestStepsAreThoseOfTheModel(t *testing.T) {
	t.Parallel()
	code, err := os.ReadFile("steps.py")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile(`model: (\w+)`).FindAllStringSubmatch(string(code), -1) {
		named = append(named, m[1])
	}
	for _, step := range model.AgentSteps() {
		if !slices.Contains(named, step) {
			t.Errorf("steps.py does not say where %s is", step)
		}
	}
	for _, name := range named {
		if !slices.Contains(model.AgentSteps(), name) {
			t.Errorf("steps.py names %s, which the model does not have", name)
		}
	}
}
