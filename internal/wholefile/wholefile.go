// Package wholefile replaces files whole or not at all.
package wholefile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrChanged: the file is not what it was when its new content was made, and was left alone.
var ErrChanged = errors.New("it has changed meanwhile, and was left alone")

// Replace puts content in the place of a file that still holds before, with the mode that it had. A
// link stays one. Whoever reads it meanwhile, and after a crash, sees one content or the other. The
// error matches ErrChanged where the file holds anything else. Content that is before is not
// written.
func Replace(name string, before, content []byte) error {
	file, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	now, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return fmt.Errorf("%s: %w", name, ErrChanged)
	}
	if bytes.Equal(now, content) {
		return nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	_, err = out.Write(content)
	err = errors.Join(err, out.Chmod(info.Mode().Perm()), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}
