package pgha

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
)

// FuzzFacts reads what the programs of a host print, or anything else.
func FuzzFacts(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"13\"\n")
	f.Add("listener\t[::]:8008\tpatroni\t5\nlistener\t*:x\ty\n")
	f.Add("== policy\npatroni:\n  Installed: (none)\n  Candidate: 4.1.5-1\n== \ncandidate\thaproxy\t3.2\n")
	f.Add("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 10 5 9223372036854775807 50% /\n")
	f.Add("=\n\"\n: \n \n[:")
	f.Fuzz(func(t *testing.T, text string) {
		host := preflight.Read(text)
		for port := range host.Ports() {
			if port < 0 || port > 65535 {
				t.Errorf("port %d", port)
			}
		}
		for name, version := range host.Candidates {
			if strings.Contains(name, "\n") || strings.Contains(version, "\n") {
				t.Errorf("%q: %q", name, version)
			}
		}
		if n, err := freeBytes(text); n < 0 || err != nil && n != 0 {
			t.Errorf("%d bytes are free, %v", n, err)
		}
		_ = keyValues(text)
	})
}

// FuzzKeywords writes a connection string and reads it with a driver: every value must come back as it was.
func FuzzKeywords(f *testing.F) {
	f.Add("postgres", "/home/me/state")
	f.Add("it's \\me", "/a b/c'd")
	f.Add("a=b sslmode=disable", "/tab\there/line\nhere")
	f.Fuzz(func(t *testing.T, user, dir string) {
		if user == "" || strings.ContainsAny(user+dir, "\x00") {
			return
		}
		c := Connection{User: user, Database: dir, SSLRootCert: "", PassFile: dir}
		cfg, err := pgconn.ParseConfig(strings.Replace(c.keywords("192.0.2.1", "5000"), " sslrootcert=''", "", 1))
		if err != nil {
			t.Fatalf("%v: %s", err, c.keywords("192.0.2.1", "5000"))
		}
		if cfg.User != user || dir != "" && cfg.Database != dir || cfg.Host != "192.0.2.1" || cfg.Port != 5000 || cfg.TLSConfig == nil {
			t.Errorf("%q and %q are read as %q and %q", user, dir, cfg.User, cfg.Database)
		}
	})
}

// FuzzPgpass writes a line of a password file and takes it apart as libpq does: at colons without a backslash before them.
func FuzzPgpass(f *testing.F) {
	f.Add("postgres", "se:cr\\et")
	f.Add("\\", ":")
	f.Fuzz(func(t *testing.T, user, password string) {
		line := escapePgpass(user) + ":" + escapePgpass(password)
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
		if fields = append(fields, field.String()); len(fields) != 2 || fields[0] != user || fields[1] != password {
			t.Errorf("%q is read as %q", line, fields)
		}
	})
}

// FuzzSetting gives a setting any value: what two texts mean is one thing only, and a value that is the same is taken or
// refused like the other.
func FuzzSetting(f *testing.F) {
	f.Add("integer", "8kB", "1GB")
	f.Add("real", "ms", "1.5 min")
	f.Add("integer", "", "0x1F")
	f.Add("bool", "", "o")
	f.Add("enum", "", "ON")
	f.Add("integer", "s", "-1e309h")
	f.Fuzz(func(t *testing.T, kind, unit, text string) {
		s := setting{Name: "x", Type: kind, Unit: unit, Min: "-1", Max: "1000", Enum: []string{"on", "off", "auto"}}
		normal, err := s.Normal(text)
		if !s.Same(text, text) && normal != "NaN" {
			t.Errorf("%q is not the same as itself", text)
		}
		if err != nil {
			if s.Check(text) == nil {
				t.Errorf("%q is taken in spite of %v", text, err)
			}
			return
		}
		if again, err := s.Normal(normal); kind != "real" && kind != "integer" && (err != nil || again != normal) {
			t.Errorf("%q means %q, which means %q (%v)", text, normal, again, err)
		}
		_ = s.Check(text)
	})
}

// FuzzJump reads the jump host of a specification.
func FuzzJump(f *testing.F) {
	f.Add("admin@bastion.example.com:2222")
	f.Add("@:")
	f.Add("[::1]:22")
	f.Fuzz(func(t *testing.T, jump string) {
		j := jumpConfig(jump, remote.SSHConfig{User: "me", Address: "192.0.2.1", Port: 2222, Fingerprints: []string{"SHA256:x"}})
		if j.Jump != nil || len(j.Fingerprints) > 0 {
			t.Error("the jump host is taken for the host behind it")
		}
	})
}
