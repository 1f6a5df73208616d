package connstring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// The files of an export, beside the password files, which have the names of the state directory.
const (
	caFile      = "postgres-ca.crt"
	serviceFile = "pg_service.conf"
)

// ExportOptions say where an export goes.
type ExportOptions struct {
	// Dir is made with mode 0700 if it is not there; its parent has to be. No default.
	Dir string
	// Owner is the account of this machine that gets the directory, if it is made, and the files:
	// who the strings are for. Another one than the caller takes root. Default: the caller.
	Owner string
}

// Export writes the files that the strings of a connection name into a directory of their own, so
// that another account can use them, and returns the connection whose strings name those files: the
// authorities' certificates, a service file with the sections of both ways, and for the superuser
// and the specification's roles the password, in a libpq password file and alone in another. All
// have mode 0600. With secrets.age the password lies plain from then on, which is what an export is
// for. For another role no password is known: the forms say where to write it.
//
// It may be repeated, and refreshes what it wrote before. What it has not written, and what
// somebody changed since, is refused with ErrRefused before anything is touched. Each file is
// replaced whole. Nothing changes on the hosts, and other errors are those of ConnectionFor.
func Export(ctx context.Context, sp *spec.Spec, c Connection,
	o ExportOptions) (exported Connection, err error) {
	owner, err := ownerOf(o.Owner)
	if err != nil {
		return c, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return c, fmt.Errorf("export to %s: %w", o.Dir, err)
	}
	files, exported, err := c.exports(ctx, sp, o.Dir)
	if err != nil {
		return c, err
	}
	dir, err := openExport(o.Dir, owner)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := dir.check(files); err != nil {
		return c, err
	}
	for _, f := range files {
		if err := dir.write(f); err != nil {
			return c, fmt.Errorf("export to %s: %w", o.Dir, err)
		}
	}
	return exported, nil
}

// exports are the files of an export, and the connection that names them.
func (c Connection) exports(ctx context.Context, sp *spec.Spec,
	dir string) ([]exportFile, Connection, error) {
	authorities, err := os.ReadFile(c.SSLRootCert)
	if err != nil {
		return nil, c, fmt.Errorf("read the authority's certificate: %w", err)
	}
	c.SSLRootCert = filepath.Join(dir, caFile)
	c.PassFile = filepath.Join(dir, vault.PassFileName)
	c.PasswordFile = filepath.Join(dir, vault.PasswordFileName)
	c.ServiceFile = filepath.Join(dir, serviceFile)
	files := []exportFile{{name: caFile, content: signed(authorities)}}
	login, known, err := loginOf(ctx, sp, c.User)
	if err != nil {
		return nil, c, err
	}
	if known {
		c.toProvide = ""
		password := append(login.Password.Reveal(), '\n')
		files = append(files, exportFile{name: vault.PasswordFileName, content: password, bare: true},
			exportFile{name: vault.PassFileName, content: signed(vault.PassFileFor(login))})
	}
	c.render()
	f, _ := c.Form("service")
	if f.Missing != "" {
		c.ServiceFile = ""
		c.render()
		return files, c, nil
	}
	sections := f.Write.String
	if f.Read.String != "" {
		sections += "\n\n" + f.Read.String
	}
	return append(files, exportFile{name: serviceFile, content: signed([]byte(sections + "\n"))}),
		c, nil
}

// loginOf is the password of a role, if it is known here.
func loginOf(ctx context.Context, sp *spec.Spec, role string) (vault.Login, bool, error) {
	s, err := vault.ReadState(ctx, sp)
	if err != nil {
		return vault.Login{}, false, err
	}
	cr, err := vault.LoadCredentials(ctx, s, sp)
	if err != nil {
		return vault.Login{}, false, err
	}
	logins, err := s.Logins(ctx, sp, cr.Superuser)
	i := slices.IndexFunc(logins, func(l vault.Login) bool { return l.Role == role })
	if err != nil || i < 0 {
		return vault.Login{}, false, err
	}
	return logins[i], true, nil
}

// account is who gets the files; the caller has no ids.
type account struct {
	name     string
	uid, gid int
}

func (a account) other() bool { return a.name != "" && a.uid != os.Geteuid() }

// ownerOf finds the account; "" is the caller.
func ownerOf(name string) (account, error) {
	if name == "" {
		return account{}, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return account{}, errs.WithKind(fmt.Errorf("find the owner of an export: %w", err),
			errs.Refused)
	}
	uid, err := strconv.Atoi(found.Uid)
	gid, groupErr := strconv.Atoi(found.Gid)
	if err = errors.Join(err, groupErr); err != nil {
		return account{}, fmt.Errorf("find the owner of an export: %w", err)
	}
	a := account{name, uid, gid}
	if a.other() && os.Geteuid() != 0 {
		return account{}, remote.WithHint(fmt.Errorf("%w: only root can give files to %s",
			errs.ErrRefused, name), "export as root, or as that account itself without an owner")
	}
	return a, nil
}

// signature begins every exported file that can have a comment: a sum of the rest tells whether
// somebody changed it. It has no colon, as the lines of a password file would.
const signature = "# Written by pgha, which replaces this file unless somebody changes it. sha256 "

func signed(content []byte) []byte {
	return append([]byte(signature+sum(content)+"\n"), content...)
}

// own tells whether an exported file is as it was written.
func own(content []byte) bool {
	line, rest, _ := bytes.Cut(content, []byte("\n"))
	return bytes.Equal(line, []byte(signature+sum(rest)))
}

// foreign is the refusal of a file that is in the way.
func foreign(path string) error {
	return remote.WithHint(fmt.Errorf("%w: %s is there, and is not what an export wrote",
		errs.ErrRefused, path), "move it away, or export to another directory")
}

// notThere tells whether an error says only that nothing is there.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
