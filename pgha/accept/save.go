package accept

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// Save writes the specification's file, whole or not at all, with the mode that it had. A link
// stays one. It refuses, with ErrRefused, a file that has changed since Accept read it.
func (a Acceptance) Save() (err error) {
	if a.Empty() {
		return nil
	}
	file, err := filepath.EvalSymlinks(a.File)
	if err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	now, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	if !bytes.Equal(now, a.before) {
		return remote.WithHint(fmt.Errorf("%w: %s has changed meanwhile, and was left alone",
			errs.ErrRefused, a.File), "run it again")
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return fmt.Errorf("save the specification: %w", err)
	}
	_, err = out.Write(a.after)
	if err := errors.Join(err, out.Chmod(info.Mode().Perm()), out.Sync(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("save the specification: %w", err), os.Remove(out.Name()))
	}
	if err := os.Rename(out.Name(), file); err != nil {
		return errors.Join(fmt.Errorf("save the specification: %w", err), os.Remove(out.Name()))
	}
	return nil
}
