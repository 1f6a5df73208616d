package recovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgpassfile"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// found is what the hosts have of what the lost state directory had.
type found struct {
	hosts  map[string]vault.HostCertificates
	trust  map[string][]byte     // by authority: what hosts trust, all of them together
	roles  map[string]pki.Secret // passwords by the name of the role in PostgreSQL
	note   lineage.Note          // the newest
	absent map[string]string     // by host: a file that it does not have
}

// findCredentials reads certificates, keys and passwords from the hosts of databases and of etcd,
// and the notes of all hosts. It changes nothing.
func findCredentials(ctx context.Context, c *site.Site) (found, error) {
	f := found{hosts: map[string]vault.HostCertificates{}, trust: map[string][]byte{},
		roles: map[string]pki.Secret{}, absent: map[string]string{}}
	if err := f.readNotes(ctx, c); err != nil {
		return f, err
	}
	targets, err := site.Finder(c.Target).All(c.Spec.MemberHosts())
	if err != nil {
		return f, err
	}
	var mu sync.Mutex
	err = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		files, err := readFiles(ctx, t)
		if err != nil {
			return err
		}
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		return f.add(c.Spec, h, files)
	})
	return f, err
}

// readFiles returns the content of what a takeover reads on a host, by path; nil of a file that is
// not there.
func readFiles(ctx context.Context, t *remote.Target) (map[string][]byte, error) {
	paths := []string{layout.PasswordFile}
	for _, of := range layout.Certificates() {
		paths = append(paths, of.File, of.Key, of.CA)
	}
	var questions [][]string
	for _, path := range paths {
		questions = append(questions, []string{"cat", path})
	}
	answers, err := t.Batch(ctx, questions...)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for i, path := range paths {
		if answers[i].ExitCode == 0 {
			files[path] = answers[i].Stdout
		}
	}
	return files, nil
}

// add takes what one host has.
func (f *found) add(sp *spec.Spec, h spec.Host, files map[string][]byte) error {
	host, held := h.Name, vault.HostCertificates{}
	for _, of := range certs.OfHost(sp, h) {
		for _, path := range []string{of.File, of.Key, of.CA} {
			if len(bytes.TrimSpace(files[path])) == 0 {
				f.absent[host] = path
				return nil
			}
		}
		held[of.Name] = pki.KeyPair{Cert: files[of.File], Key: pki.NewSecret(files[of.Key])}
		var err error
		all := [][]byte{files[of.CA]}
		if known := f.trust[of.Authority]; known != nil {
			all = [][]byte{known, files[of.CA]}
		}
		if f.trust[of.Authority], err = pki.Bundle(all...); err != nil {
			return fmt.Errorf("read %s: %w", of.CA, err)
		}
	}
	f.hosts[host] = held
	if !h.Has(spec.RoleDatabase) {
		return nil
	}
	passwords, err := pgpassfile.ParsePassfile(bytes.NewReader(files[layout.PasswordFile]))
	if err != nil {
		return fmt.Errorf("read %s: %w", layout.PasswordFile, err)
	}
	for _, entry := range passwords.Entries {
		password := pki.NewSecret([]byte(entry.Password))
		if known, there := f.roles[entry.Username]; there && !known.Equal(password) {
			return fmt.Errorf("%w: the hosts have different passwords of %s in %s",
				errs.ErrRefused, entry.Username, layout.PasswordFile)
		}
		f.roles[entry.Username] = password
	}
	return nil
}

// readNotes keeps the newest of what hosts remember of the lost directory. A damaged note says
// nothing, and one of a later version of pgha is refused: it may mean what nobody knows here.
func (f *found) readNotes(ctx context.Context, c *site.Site) error {
	notes, err := c.AskStateNotes(ctx)
	if err != nil {
		return err
	}
	for _, host := range slices.Sorted(maps.Keys(notes)) {
		note, err := lineage.ParseNote(notes[host])
		if errors.Is(err, lineage.ErrNewer) {
			return errs.WithNext(fmt.Errorf("%w: %s on %s is %w", errs.ErrRefused, vault.NoteFile, host,
				err), errs.Text("use that version"))
		}
		if err == nil && note.Generation > f.note.Generation {
			f.note = note
		}
	}
	return nil
}

// leaf returns a certificate of that name that hosts who trust the former authorities alone accept;
// where no host has such a one any more, all of them trust the new ones as well.
func (f *found) leaf(c *site.Site, name string, former []byte) pki.KeyPair {
	var any pki.KeyPair
	for _, h := range c.Spec.Databases() {
		pair := f.hosts[h.Name][name]
		if pki.Verify(pair.Cert, former, pki.VerifyOptions{Usage: pki.ClientUsage}) == nil {
			return pair
		}
		any = pair
	}
	return any
}
