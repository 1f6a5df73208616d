package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// record is what a lab remembers about itself on disk. It is written before
// the first kernel object is made, so that Down can always find them all.
type record struct {
	Name    string `json:"name"`
	Release string `json:"release"`
	Image   string `json:"image"`
	IPv6    bool   `json:"ipv6,omitempty"`
	// Layers are those with installed packages, by the role of the hosts that have them.
	Layers map[string]string `json:"layers,omitempty"`
	// Layout is the name of what the hosts were laid out as; "" where their numbers said it.
	Layout  string     `json:"layout,omitempty"`
	Hosts   []hostPlan `json:"hosts"`
	Created time.Time  `json:"created"`
}

const recordFile = "lab.json"

func (r record) network() network { return networkOf(r.IPv6) }

// readRecord returns ErrNotRunning when there is none.
func readRecord(c cache, name string) (record, error) {
	var r record
	text, err := os.ReadFile(filepath.Join(c.lab(name), recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, notRunning(name)
	}
	if errors.Is(err, fs.ErrPermission) {
		return r, withHint(fmt.Errorf("read lab: %w", err), "labs belong to root: use sudo")
	}
	if err != nil {
		return r, fmt.Errorf("read lab: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read lab %s: %w", name, err)
	}
	return r, nil
}

func (r record) write(c cache) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode lab: %w", err)
	}
	return writeAtomic(filepath.Join(c.lab(r.Name), recordFile), append(text, '\n'), 0o644)
}

func (r record) knownHosts(keys map[string]string) []byte {
	var b strings.Builder
	for _, h := range r.Hosts {
		names := []string{h.Address, h.Name}
		if h.Member != "" {
			names = append(names, h.Member)
		}
		fmt.Fprintf(&b, "%s %s\n", strings.Join(names, ","), keys[h.Name])
	}
	return []byte(b.String())
}

func notRunning(name string) error {
	return errs.WithNext(fmt.Errorf("open lab %q: %w", name, ErrNotRunning),
		errs.Text("start it: %s", errs.Verb("lab", "up", "--lab-name", name)))
}

func writeAtomic(path string, body []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, body, mode); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}
