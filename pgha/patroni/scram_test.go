package patroni

import (
	"encoding/base64"
	"strings"
	"testing"
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

func TestNewVerifier(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"pencil", `pä"ß'\$(x) $$ 密码`, strings.Repeat("密", 200)} {
		first, err := NewVerifier(password)
		if err != nil {
			t.Fatal(err)
		}
		second, err := NewVerifier(password)
		if err != nil || first == second {
			t.Errorf("two verifiers have the same salt (%v)", err)
		}
		if !Verifies(first, password) || Verifies(first, password+"x") || strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:$-") != "" {
			t.Errorf("%q: verifier %s", password, first)
		}
	}
	for _, stored := range []string{"", "pencil", "md5c3e1", "SCRAM-SHA-256$4096:x$y:z"} {
		if Verifies(stored, "pencil") {
			t.Errorf("%q verifies", stored)
		}
	}
}
