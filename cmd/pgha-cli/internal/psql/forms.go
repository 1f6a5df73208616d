package psql

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha"
)

// Forms is every form of a connection, to read and to copy from.
func Forms(conn pgha.Connection, read bool) string {
	var b strings.Builder
	to, other := "the primary", "--read: to the replicas"
	if read {
		to, other = "the replicas", "without --read: to the primary"
	} else if conn.ReadDSN == "" {
		other = "there are no replicas to read from"
	}
	fmt.Fprintf(&b, "database %s as %s, to %s (%s)\n", conn.Database, conn.User, to, other)
	for _, f := range conn.Forms {
		fmt.Fprintf(&b, "\n%s: %s\n", f.Name, f.Client)
		if f.Missing != "" {
			fmt.Fprintf(&b, "  none: %s\n", f.Missing)
			continue
		}
		spelled := f.Write
		if read {
			spelled = f.Read
		}
		code := spelled.Code
		if f.Name == "service" {
			code = spelled.String + "\n\n" + code
		}
		fmt.Fprintf(&b, "\n  %s\n\n", strings.ReplaceAll(code, "\n", "\n  "))
		for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
			fmt.Fprintf(&b, "  - start it with %s=%s\n", name, f.Environment[name])
		}
		fmt.Fprintf(&b, "  - password: %s\n  - %s\n", f.Password, limits(f.Limits))
		if f.Note != "" {
			fmt.Fprintf(&b, "  - %s\n", f.Note)
		}
	}
	return b.String()
}

// limits says what a client does when its server is gone without a word.
func limits(l pgha.ConnectionLimits) string {
	text := fmt.Sprintf("a server that is gone: connecting ends after %d s a host, ", l.Connect)
	switch {
	case l.Waiting == 0:
		return text + "and nothing ends a statement that waits"
	case l.Slow:
		return text + fmt.Sprintf("a statement that waits after %d s, also one that is only slow",
			l.Waiting)
	}
	return text + fmt.Sprintf("a statement that waits after %d s", l.Waiting)
}

// Bare is the string of one form alone.
func Bare(conn pgha.Connection, name string, read bool) (string, error) {
	f, _ := conn.Form(name)
	switch {
	case f.Missing != "":
		return "", fmt.Errorf("%w: there is no string of the form %s: %s", pgha.ErrRefused, name,
			f.Missing)
	case read:
		return f.Read.String, nil
	}
	return f.Write.String, nil
}

// Exported says what an export has left, and what is still to be done.
func Exported(conn pgha.Connection, sp *pgha.Spec) string {
	dir := filepath.Dir(conn.PassFile)
	if conn.User != sp.PostgreSQL.Superuser {
		f, _ := conn.Form("psql")
		return fmt.Sprintf("exported to %s; %s\n", dir, f.Password)
	}
	text := fmt.Sprintf("exported to %s: whoever reads it is the superuser %s\n", dir, conn.User)
	if sp.Secrets.Age.On() {
		text += "its password lies plain there, unlike in the state directory (secrets.age)\n"
	}
	return text
}
