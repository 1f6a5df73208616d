package vault

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/pgsession"
)

// FuzzPgpass writes a line of a password file and takes it apart as libpq does: at colons without a
// backslash before them.
func FuzzPgpass(f *testing.F) {
	f.Add("postgres", "se:cr\\et")
	f.Add("\\", ":")
	f.Fuzz(func(t *testing.T, user, password string) {
		line := pgsession.PassFileField(user) + ":" + pgsession.PassFileField(password)
		var fields []string
		var field strings.Builder
		for i := 0; i < len(line); i++ {
			switch {
			case line[i] == '\\' && i+1 < len(line):
				i++
				field.WriteByte(line[i])
			case line[i] == ':':
				fields = append(fields, field.String())
				field.Reset()
			default:
				field.WriteByte(line[i])
			}
		}
		if fields = append(fields, field.String()); len(fields) != 2 || fields[0] != user ||
			fields[1] != password {
			t.Errorf("%q is read as %q", line, fields)
		}
	})
}
