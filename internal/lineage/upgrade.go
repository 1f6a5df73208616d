package lineage

import (
	"encoding/json"
	"fmt"
)

// upgrades make a record of the format of their index one of the next. What they are given is
// complete in that format or damaged, and they must not need anything but the record: it is
// upgraded in memory each time it is read, and on disk with the directory's next change. The
// directory of each format lies in the test data of package vault for ever.
var upgrades = [Format]func(record map[string]json.RawMessage) error{
	// A directory of before there were records has none, so a record without a format is damaged.
	0: func(map[string]json.RawMessage) error { return errNoFormat },
	// Identifiers that nobody has recorded are absent, which says so.
	1: func(map[string]json.RawMessage) error { return nil },
	// The record is the same: files of authorities alone may hold more than before.
	2: func(map[string]json.RawMessage) error { return nil },
}

// upgrade makes a record of a format one of this program's.
func upgrade(record map[string]json.RawMessage, from int) error {
	if from < 0 {
		return errNoFormat
	}
	for f := from; f < Format; f++ {
		if err := upgrades[f](record); err != nil {
			return fmt.Errorf("read format %d: %w", f, err)
		}
	}
	return nil
}
