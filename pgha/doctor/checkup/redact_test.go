package checkup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// canary is in every secret of the test, and must be in nothing that leaves it.
const canary = "kanarienvogel"

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, stays string }{
		{"yaml", "    username: replicator\n    password: " + canary + "\n",
			"username: replicator"},
		{"quoted yaml", `password: "with \" a ` + canary + `"`, "password"},
		{"json", `{"ttl": 30, "superuser_password": "` + canary + `", "loop_wait": 10}`,
			`"loop_wait": 10`},
		{"environment", "ETCD_ROOT_PASSWORD=" + canary + "\nETCD_NAME=a", "ETCD_NAME=a"},
		{
			"conninfo",
			"primary_conninfo = 'host=10.0.0.1 user=replicator password=" + canary +
				" sslmode=verify-full'",
			"host=10.0.0.1",
		},
		{"SQL", "ERROR:  syntax error\nSTATEMENT:  ALTER ROLE app PASSWORD '" + canary + "' VALID",
			"syntax error"},
		{
			"SQL that says nothing of passwords",
			"2026-11-23 LOG:  statement: INSERT INTO people VALUES ('" + canary + "')",
			"2026-11-23",
		},
		{"bind parameters", "DETAIL:  Parameters: $1 = '" + canary + "'", "Parameters"},
		{"URL", "archive_command: pgbackrest --repo s3://key:" + canary + "@bucket/path",
			"bucket/path"},
		{"password file", "192.168.0.203:5432:*:replicator:" + canary + "\n",
			"192.168.0.203:5432:*:replicator:"},
		{"verifier", "rolpassword SCRAM-SHA-256$4096:" + canary + "$abc:def", "rolpassword"},
		{"private key", "-----BEGIN EC PRIVATE KEY-----\n" + canary +
			"\n-----END EC PRIVATE KEY-----\nafter", "after"},
		{"YAML with spaces", "  superuser_password: two " + canary + " words\nother: 1",
			"other: 1"},
		{"quoted in a quoted text", `"msg":"connect \"password\":\"` + canary + `\", done"`,
			"done"},
		{"keepalived", "    auth_pass " + canary + "\n    priority 100", "priority 100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := string(Redact([]byte(tc.text)))
			if strings.Contains(got, canary) {
				t.Errorf("the secret is still there: %q", got)
			}
			if !strings.Contains(got, tc.stays) {
				t.Errorf("%q is gone: %q", tc.stays, got)
			}
		})
	}
}

// What helps a reader must not be lost to caution.
func TestRedactLeaves(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2026-11-23 17:28:17 INFO: no action. I am (postgresql-03), a secondary, and following a " +
			"leader (postgresql-01)",
		"hostssl replication replicator 127.0.0.1/32 scram-sha-256",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		`FATAL:  password authentication failed for user "replicator"`,
		`ETCD_INITIAL_CLUSTER="a=https://192.168.0.203:2380,b=https://192.168.0.204:2380"`,
		"FATAL:  no pg_hba.conf entry for host",
	} {
		if got := string(Redact([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestRedactedJSON(t *testing.T) {
	t.Parallel()
	got, err := redactedJSON(map[string]any{
		"lines": []string{`say "password": "` + canary + `"`}, "count": int64(1) << 60,
	})
	if err != nil || strings.Contains(string(got), canary) ||
		!strings.Contains(string(got), "1152921504606846976") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	archive, names, err := pack("stem", time.Unix(1e9, 0), map[string][]byte{
		"b/config.yml": []byte("password: " + canary), "a.txt": []byte("plain"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(names, " ") != "a.txt b/config.yml" {
		t.Errorf("names: %q", names)
	}
	if text := unpacked(t, archive); strings.Contains(text, canary) ||
		!strings.Contains(text, "plain") ||
		!strings.Contains(text, "stem/b/config.yml") {
		t.Errorf("archive: %q", text)
	}
}

// unpacked returns all names and contents of an archive.
func unpacked(t *testing.T, archive []byte) string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for in := tar.NewReader(zipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(header.Name + "\n")
		if _, err := io.Copy(&all, in); err != nil {
			t.Fatal(err)
		}
	}
}
