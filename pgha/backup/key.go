package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/remote"
)

// Configured tells whether any of the hosts has a pgbackrest.conf of this package's. Changes
// nothing.
func Configured(ctx context.Context, o Options) (bool, error) {
	hosts := o.hosts()
	found := make([]bool, len(hosts))
	err := parallel.Each(hosts, func(i int, h Host) error {
		if h.Target.LeftOut {
			return nil
		}
		text, err := h.Target.Output(ctx, "sh", "-c", `if [ -e "$1" ]; then echo there; fi`, "sh",
			ConfigPath)
		found[i] = strings.TrimSpace(text) == "there"
		return remote.OnHost(h.Target.Name, err)
	})
	for _, f := range found {
		if f {
			return true, err
		}
	}
	return false, err
}

// OtherKey tells whether the repository's host has been given another key than that of the options:
// what it has written with that cannot be read with this one. Only a checksum of the key leaves the
// host. false where it has none, and where neither encrypts. Changes nothing.
func OtherKey(ctx context.Context, o Options) (bool, error) {
	t := o.Repository.Target
	if t.LeftOut {
		return false, nil
	}
	text, err := t.Output(ctx, "sh", "-c",
		`[ -e "$1" ] || exit 0; sed -n 's/^repo1-cipher-pass=//p' "$1" | tr -d '\n' | sha256sum`, "sh",
		ConfigPath)
	if err != nil {
		return false, fmt.Errorf("look at the key of the backups: %w", remote.OnHost(t.Name, err))
	}
	has, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	sum := func(key []byte) string { s := sha256.Sum256(key); return hex.EncodeToString(s[:]) }
	return has != "" && has != sum(nil) && !o.Key.IsZero() && has != sum(o.Key.Reveal()), nil
}
