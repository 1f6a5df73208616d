package procedure_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/procedure"
)

var errBroken = errors.New("broken")

// journal is what happened, and how each record was kept.
type journal struct {
	did  []string
	kept []int
	full bool // no record can be kept
}

func (j *journal) steps(fails int) []procedure.Step {
	var steps []procedure.Step
	for i := range 3 {
		steps = append(steps, procedure.Step{
			Outline: procedure.Outline{Name: fmt.Sprint("s", i+1), Back: "b"},
			Do: func(context.Context) error {
				j.did = append(j.did, fmt.Sprint("s", i+1))
				if i+1 == fails {
					return errBroken
				}
				return nil
			}})
	}
	return steps
}

func (j *journal) keep(_ context.Context, r procedure.Record) error {
	if j.full {
		return errBroken
	}
	j.kept = append(j.kept, r.Reached)
	return nil
}

func silent(int, procedure.Step) {}

// TestRun: every step is recorded behind it, a failure ends it there with the way on, and a later
// run begins with the step that failed.
func TestRun(t *testing.T) {
	t.Parallel()
	j := &journal{}
	r := procedure.Record{Verb: "host remove", Steps: procedure.Outlines(j.steps(0))}
	err := procedure.Run(t.Context(), &r, j.steps(2), j.keep, silent)
	if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "step 2 of 3, s2: ") {
		t.Errorf("got %v", err)
	}
	next := errs.NextOf(err).String()
	for _, verb := range []string{"change show", "change continue", "change undo"} {
		if !strings.Contains(next, verb) {
			t.Errorf("no %s in %q", verb, next)
		}
	}
	if err := procedure.Run(t.Context(), &r, j.steps(0), j.keep, silent); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s1", "s2", "s2", "s3"}, j.did); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 1, 1, 2, 3}, j.kept); diff != "" {
		t.Error(diff)
	}
}

// TestRunWithoutRecord: nothing begins that is not written down, and nothing after the end of ctx.
func TestRunWithoutRecord(t *testing.T) {
	t.Parallel()
	j := &journal{full: true}
	r := procedure.Record{Steps: procedure.Outlines(j.steps(0))}
	if err := procedure.Run(t.Context(), &r, j.steps(0), j.keep, silent); !errors.Is(err,
		errBroken) || len(j.did) > 0 {
		t.Errorf("%v, did %v", err, j.did)
	}
	ctx, cancel := context.WithCancel(t.Context())
	j.full = false
	err := procedure.Run(ctx, &r, j.steps(0), j.keep, func(i int, _ procedure.Step) {
		if i == 1 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(j.did, []string{"s1"}) || r.Reached != 1 {
		t.Errorf("%v, did %v, reached %d", err, j.did, r.Reached)
	}
	r.Steps = r.Steps[:2]
	if err := procedure.Run(t.Context(), &r, j.steps(0), j.keep, silent); !errors.Is(err,
		errs.ErrRefused) {
		t.Errorf("other steps than the record's: %v", err)
	}
}

// TestRecord: what is written is read again, and what is no record is an error.
func TestRecord(t *testing.T) {
	t.Parallel()
	r := procedure.Record{Verb: "host remove", Subject: "pg2", By: "alice@desk",
		Since: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), Reached: 1,
		Steps: []procedure.Outline{{Name: "one", Back: "b"}, {Name: "two"}}, Order: []byte(`{"x":1}`)}
	again, err := procedure.Parse(r.Text())
	if diff := cmp.Diff(r, again); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	const want = "host remove pg2: step 2 of 2 (two), by alice@desk, since 2026-11-30T12:00:00Z"
	if got := r.String(); got != want {
		t.Errorf("%q", got)
	}
	r.Undoing = true
	if got := r.String(); !strings.HasPrefix(got, "undoing of host remove pg2") {
		t.Errorf("%q", got)
	}
	for _, text := range []string{"", "{", "{}", `{"verb":"x","reached":2}`, `{"verb":"x","reached":-1}`} {
		if _, err := procedure.Parse(text); err == nil {
			t.Errorf("%q is a record", text)
		}
	}
}
