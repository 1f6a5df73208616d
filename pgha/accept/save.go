package accept

import (
	"errors"
	"fmt"

	"github.com/pgha/toolkit/internal/wholefile"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// Save writes the specification's file, whole or not at all, with the mode that it had. A link
// stays one. It refuses, with ErrRefused, a file that has changed since Accept read it.
func (a Acceptance) Save() error {
	if a.Empty() {
		return nil
	}
	err := wholefile.Replace(a.File, a.before, a.after)
	if errors.Is(err, wholefile.ErrChanged) {
		return remote.WithHint(fmt.Errorf("%w: %w", errs.ErrRefused, err), "run it again")
	}
	if err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	return nil
}
