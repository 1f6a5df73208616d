package scram

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

// TestVerifier holds it to the example of RFC 7677.
func TestVerifier(t *testing.T) {
	t.Parallel()
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier("pencil", salt, 4096)
	want := "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if got != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"pencil", `pä"ß'\$(x) $$ 密码`, strings.Repeat("密", 200)} {
		secret := pki.NewSecret([]byte(password))
		first, err := New(secret)
		if err != nil {
			t.Fatal(err)
		}
		second, err := New(secret)
		if err != nil || first.Equal(second) {
			t.Errorf("two verifiers have the same salt (%v)", err)
		}
		other := pki.NewSecret([]byte(password + "x"))
		if !Verifies(first, secret) || Verifies(first, other) ||
			strings.Trim(string(first.Reveal()),
				"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:$-") != "" {
			t.Errorf("%q: verifier %s", password, first.Reveal())
		}
	}
	for _, stored := range []string{"", "pencil", "md5c3e1", "SCRAM-SHA-256$4096:x$y:z"} {
		if Verifies(pki.NewSecret([]byte(stored)), pki.NewSecret([]byte("pencil"))) {
			t.Errorf("%q verifies", stored)
		}
	}
}
