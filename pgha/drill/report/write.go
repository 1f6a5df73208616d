package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgha/toolkit/pgha/drill"
)

// Write writes the page to file, and the raw data beside it: for report.html these are
// report.writes.csv, report.reads.csv, report.members.csv, report.leadership.csv and
// report.outcomes.csv, whose columns CSVColumns explains. The folder must exist.
//
// Every file is written whole or not at all: all of them are complete under temporary names in the
// same folder before the first replaces an older one, and the page comes last. An error before that
// leaves what was there untouched. Each has mode 0600, as the page names hosts, addresses and
// errors of the cluster: the person who ran the drill decides who may read it.
//
// Errors are those of the file system. Write may be repeated, and called from several goroutines
// for different files.
func Write(file string, r drill.Result) error {
	base := strings.TrimSuffix(file, filepath.Ext(file))
	var parts []*part
	defer func() {
		for _, p := range parts {
			os.Remove(p.temporary) // gone already when it was put in place
		}
	}()
	add := func(target string, write func(io.Writer) error) error {
		p, err := prepare(target, write)
		if err != nil {
			return fmt.Errorf("write report %s: %w", target, err)
		}
		parts = append(parts, p)
		return nil
	}
	var names []string
	for _, t := range tables() {
		target := base + "." + t.name + ".csv"
		if err := add(target, func(w io.Writer) error { return t.write(w, r) }); err != nil {
			return err
		}
		names = append(names, filepath.Base(target))
	}
	if err := add(file, func(w io.Writer) error { return writeHTML(w, r, names) }); err != nil {
		return err
	}
	for _, p := range parts {
		if err := os.Rename(p.temporary, p.target); err != nil {
			return fmt.Errorf("write report %s: %w", p.target, err)
		}
	}
	return nil
}

// part is a file that is complete, but not yet in its place.
type part struct{ temporary, target string }

func prepare(target string, write func(io.Writer) error) (*part, error) {
	f, err := os.CreateTemp(filepath.Dir(target), ".report-*") // mode 0600
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = write(w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &part{temporary: f.Name(), target: target}, nil
}
