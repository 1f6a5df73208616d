package procedure

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// Outline is what a step says of itself.
type Outline struct {
	// Name is what the step does: "take postgresql-02 out of etcd".
	Name string `json:"name"`
	// Back is how it is taken back, or why that needs nothing; "" from the point of no return on.
	Back string `json:"back,omitempty"`
	// Cost is what applications notice; "" where that is nothing.
	Cost string `json:"cost,omitempty"`
}

// Step is one step of a change.
type Step struct {
	Outline
	// Do looks first, acts, and returns once what it did can be seen. It is safe to repeat: a run
	// that was killed in it begins with it again.
	Do func(context.Context) error
}

// Outlines are what the steps say of themselves.
func Outlines(steps []Step) []Outline {
	list := make([]Outline, len(steps))
	for i, s := range steps {
		list[i] = s.Outline
	}
	return list
}

// Record is a change that was begun and is not finished.
type Record struct {
	// Verb began it: "host remove". Subject is what it is about: "postgres-02".
	Verb    string `json:"verb"`
	Subject string `json:"subject"`
	// By is who worked on it last: user@machine. Since is when it began.
	By    string    `json:"by"`
	Since time.Time `json:"since"`
	// Undoing says that it is being taken back.
	Undoing bool `json:"undoing,omitempty"`
	// Steps are all of it, and Reached is how many of them are done.
	Steps   []Outline `json:"steps"`
	Reached int       `json:"reached"`
	// Order is what the verb needs to go on, as it wrote it.
	Order json.RawMessage `json:"order"`
}

// ErrDamaged: what is kept as a change's record is none.
var ErrDamaged = errs.New(errs.Refused, "the record of a change cannot be read")

// Parse reads what Text has written. The error matches ErrDamaged.
func Parse(text string) (Record, error) {
	var r Record
	err := json.Unmarshal([]byte(text), &r)
	if err == nil && (r.Verb == "" || r.Reached < 0 || r.Reached > len(r.Steps)) {
		err = fmt.Errorf("verb %q, %d of %d steps", r.Verb, r.Reached, len(r.Steps))
	}
	if err != nil {
		return Record{}, errs.WithNext(fmt.Errorf("%w: %w", ErrDamaged, err),
			errs.Text("if a later version of pgha has begun the change, go on with that one"))
	}
	return r, nil
}

// Text is the record as it is kept.
func (r Record) Text() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it has no type that cannot be written
	}
	return string(text)
}

// String says in one line what is half done: "host remove postgres-02: step 5 of 9 (take it out of
// etcd), by alice@desk, since 2026-11-30T12:00:00Z".
func (r Record) String() string {
	verb, step := r.Verb, ""
	if r.Undoing {
		verb = "undoing of " + verb
	}
	if r.Reached >= 0 && r.Reached < len(r.Steps) {
		step = " (" + r.Steps[r.Reached].Name + ")"
	}
	return fmt.Sprintf("%s %s: step %d of %d%s, by %s, since %s", verb, r.Subject,
		min(r.Reached+1, len(r.Steps)), len(r.Steps), step, r.By, r.Since.UTC().Format(time.RFC3339))
}

// GoOn takes over how far a change is now that nobody else works on it; r is how it was looked at
// before, or what is to become of it: without steps it is to be taken back from here on. The error
// matches errs.ErrRefused where now is another change, or one that goes the other way meanwhile.
func (r *Record) GoOn(now Record) error {
	begins := len(r.Steps) == 0
	switch {
	case now.Verb != r.Verb || now.Subject != r.Subject || !now.Since.Equal(r.Since):
		return fmt.Errorf("%w: it has been finished meanwhile, and another change is half done: %s",
			errs.ErrRefused, now)
	case now.Undoing != (r.Undoing && !begins):
		return errs.WithNext(fmt.Errorf("%w: somebody has turned it round meanwhile: %s",
			errs.ErrRefused, now), errs.Text("%s goes on with it as it is now",
			errs.Verb("change", "continue")))
	case begins:
		return nil
	case len(now.Steps) != len(r.Steps):
		return fmt.Errorf("%w: it has %d steps by now, and had %d", errs.ErrRefused, len(now.Steps),
			len(r.Steps))
	}
	r.Reached = now.Reached
	return nil
}

// Fits refuses (errs.ErrRefused) a record that another version of pgha has made other steps for.
func (r Record) Fits(steps []Step) error {
	switch {
	case len(steps) != len(r.Steps):
		return fmt.Errorf("%w: the record has %d steps, this version of pgha makes %d",
			errs.ErrRefused, len(r.Steps), len(steps))
	case r.Reached < 0 || r.Reached > len(steps):
		return fmt.Errorf("%w: the record says that %d of %d steps are done", errs.ErrRefused,
			r.Reached, len(steps))
	}
	return nil
}

// Run does the steps of a record that are still to be done, in order. After each one, and before
// the first, keep writes the record down; a record that cannot be written ends the change there.
// begin is told each step. The error is the step's, names it, and says how to go on.
func Run(ctx context.Context, r *Record, steps []Step,
	keep func(context.Context, Record) error, begin func(i int, s Step)) error {
	if err := r.Fits(steps); err != nil {
		return err
	}
	again := errs.Text("%s shows how far it is; mend the cause, then %s, or %s",
		errs.Verb("change", "show"), errs.Verb("change", "continue"), errs.Verb("change", "undo"))
	if err := keep(ctx, *r); err != nil {
		return err
	}
	for i := r.Reached; i < len(steps); i++ {
		begin(i, steps[i])
		err := ctx.Err()
		if err == nil {
			err = steps[i].Do(ctx)
		}
		if err == nil {
			r.Reached = i + 1
			err = keep(ctx, *r)
		}
		if err != nil {
			err = fmt.Errorf("step %d of %d, %s: %w", i+1, len(steps), steps[i].Name, err)
			return errs.WithNext(err, again)
		}
	}
	return nil
}
