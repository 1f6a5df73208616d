package errs_test

import (
	"errors"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
)

// A package declares its sentinels with their kinds, and wraps them with what happened and what to
// do next.
func Example() {
	errPaused := errs.New(errs.Refused, "the cluster is paused")
	err := errs.WithNext(fmt.Errorf("switchover: %w", errPaused),
		errs.Text("look at %s, then %s", errs.Verb("status"), errs.Verb("resume", "--yes")))

	fmt.Println(err)
	fmt.Println(errs.KindOf(err), errors.Is(err, errPaused))
	fmt.Println(errs.NextOf(err))
	fmt.Println(errs.NextOf(err).Render(func(c errs.Call) string {
		return "mytool db " + c.Words()
	}))
	// Output:
	// switchover: the cluster is paused
	// refused true
	// look at `status`, then `resume --yes`
	// look at mytool db status, then mytool db resume --yes
}
