package checkup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni"
)

// notebook carries nothing out, and remembers what it was asked to.
type notebook struct {
	asked []string
	fails string // what fails
}

var errBroken = errors.New("broken")

func (n *notebook) note(op pgha.Operation, words ...string) error {
	line := strings.Join(words, " ")
	if op.DryRun {
		line += " (dry run)"
	}
	n.asked = append(n.asked, line)
	if n.fails != "" && strings.HasPrefix(line, n.fails) {
		return errBroken
	}
	return nil
}

func (n *notebook) Mend(_ context.Context, o pgha.MendOptions) error {
	words := []string{"mend"}
	for _, s := range o.Steps {
		words = append(words, s.Host+":"+s.Command)
	}
	return n.note(o.Operation, words...)
}

func (n *notebook) Plan(context.Context, pgha.PlanOptions) (pgha.Plan, error) {
	return pgha.Plan{}, n.note(pgha.Operation{}, "plan")
}

func (n *notebook) Apply(context.Context, pgha.ApplyOptions) (pgha.Report, error) {
	return pgha.Report{}, n.note(pgha.Operation{}, "apply")
}

func (n *notebook) Resume(_ context.Context, o pgha.PauseOptions) (patroni.PauseResult, error) {
	return patroni.PauseResult{}, n.note(o.Operation, "resume")
}

func (n *notebook) Restart(_ context.Context,
	o pgha.RestartOptions) (patroni.RestartResult, error) {
	what := strings.Join(o.Members, ",")
	if o.PendingOnly {
		what += "pending"
	}
	return patroni.RestartResult{}, n.note(o.Operation, "restart", what)
}

func (n *notebook) Reinitialize(_ context.Context,
	o pgha.ReinitializeOptions) (pgha.ReinitializeResult, error) {
	return pgha.ReinitializeResult{}, n.note(o.Operation, "reinitialize", o.Member)
}

func (n *notebook) RotateSecrets(_ context.Context,
	o pgha.RotateOptions) (pgha.RotateResult, error) {
	return pgha.RotateResult{}, n.note(o.Operation, "rotate", strings.Join(o.Which, ","))
}

func onHost(host, command string) doctor.Step { return doctor.Step{Host: host, Command: command} }

func verb(name string, args ...string) doctor.Step {
	return doctor.Step{Call: errs.Verb(name, args...)}
}

// TestFix: steps are carried out in their order, those on hosts that follow each other as one
// operation, and nothing after the first that fails.
func TestFix(t *testing.T) {
	t.Parallel()
	stop, start, apply := onHost("a", "stop"), onHost("b", "start"), verb(doctor.Apply)
	for name, c := range map[string]struct {
		remedy []doctor.Step
		dry    bool
		fails  string
		want   []string
	}{
		"commands are one operation": {remedy: []doctor.Step{stop, start},
			want: []string{"mend a:stop b:start"}},
		"but not around a verb": {
			remedy: []doctor.Step{stop, apply, start},
			want:   []string{"mend a:stop", "apply", "mend b:start"},
		},
		"a dry run plans": {
			remedy: []doctor.Step{stop, apply}, dry: true,
			want: []string{"mend a:stop (dry run)", "plan"},
		},
		"a command fails": {
			remedy: []doctor.Step{stop, apply}, fails: "mend", want: []string{"mend a:stop"},
		},
		"a verb fails": {remedy: []doctor.Step{apply, start}, fails: "apply",
			want: []string{"apply"}},
		"a plan fails": {
			remedy: []doctor.Step{apply, start}, dry: true, fails: "plan", want: []string{"plan"},
		},
		"a member is restarted": {
			remedy: []doctor.Step{verb(doctor.Restart, "pg1")}, want: []string{"restart pg1"},
		},
		"all that wait are restarted": {
			remedy: []doctor.Step{verb(doctor.Restart, doctor.Pending)},
			want:   []string{"restart pending"},
		},
		"a member is copied again": {
			remedy: []doctor.Step{verb(doctor.Reinitialize, "pg1")}, dry: true,
			want: []string{"reinitialize pg1 (dry run)"},
		},
		"a password is replaced": {
			remedy: []doctor.Step{verb(doctor.RotateSecrets, "rotate", "replication")},
			want:   []string{"rotate replication"},
		},
		"the cluster is resumed": {remedy: []doctor.Step{verb(doctor.Resume)},
			want: []string{"resume"}},
	} {
		n := &notebook{fails: c.fails}
		err := fix(t.Context(), n, doctor.Finding{
			ID: "x", Remedy: c.remedy, Fixable: true,
		}, pgha.Operation{DryRun: c.dry})
		if (c.fails != "") != errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, n.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestFixRefuses: what needs a decision is not begun, and a verb that no remedy may have is never
// carried out.
func TestFixRefuses(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]doctor.Finding{
		"it is not fixable": {ID: "x", Remedy: []doctor.Step{onHost("a", "true")},
			Advice: errs.Text("ask its owner")},
		"a setting": {ID: "x", Remedy: []doctor.Step{verb(doctor.Config, "set", "ttl=20")},
			Fixable: true},
		"an unknown verb": {ID: "x", Remedy: []doctor.Step{verb("reset")}, Fixable: true},
		"an empty step":   {ID: "x", Remedy: []doctor.Step{{}}, Fixable: true},
	} {
		n := &notebook{}
		err := fix(t.Context(), n, f, pgha.Operation{})
		if !errors.Is(err, ErrNotFixable) || len(n.asked) > 0 {
			t.Errorf("%s: %v, and it did %v", name, err, n.asked)
		}
	}
}

// TestFixableIsFixed: Fix can carry out every verb of a remedy that the doctor calls fixable.
func TestFixableIsFixed(t *testing.T) {
	t.Parallel()
	for _, v := range []string{doctor.Apply, doctor.Resume, doctor.Restart, doctor.Reinitialize,
		doctor.RotateSecrets} {
		n := &notebook{}
		if err := carryOut(t.Context(), n, errs.Verb(v, "x"), pgha.Operation{}); err != nil ||
			len(n.asked) != 1 {
			t.Errorf("%s: %v, %v", v, err, slices.Clone(n.asked))
		}
	}
}
