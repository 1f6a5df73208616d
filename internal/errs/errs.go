package errs

import (
	"errors"
	"strings"
)

// ErrRefused: the operation would do harm, or could not end well, and nothing was changed. The reason is in the error's
// text. Refused finds it together with the reasons of package patroni.
var ErrRefused = errors.New("refused")

// ErrPlanStale: the hosts or the specification have changed since the plan was made.
var ErrPlanStale = errors.New("the plan does not fit any more")

// Reasons makes one error of several reasons; nil for none.
func Reasons(list []string) error {
	if len(list) == 0 {
		return nil
	}
	return errors.New(strings.Join(list, "; "))
}
