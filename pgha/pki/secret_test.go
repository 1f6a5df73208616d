package pki_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

// Whatever a program prints, logs or marshals, no form of the key appears.
func TestNothingLeaksAKey(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	leaf := issue(t, ca, serverRequest())
	holder := struct {
		CA   *pki.CA
		Leaf *pki.Leaf
		Key  pki.Secret
		// What fmt reaches without calling methods.
		hidden pki.Secret
		inner  struct{ leaf pki.Leaf }
	}{CA: ca, Leaf: leaf, Key: leaf.Encode(), hidden: ca.KeyPEM()}
	holder.inner.leaf = *leaf

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t"} {
		for _, value := range []any{
			ca, leaf, *leaf, leaf.KeyPEM, ca.KeyPEM(), holder, &holder,
			[]any{&holder, leaf.Encode()},
			struct{ H any }{&holder},
		} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil),
		slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("made", "ca", ca, "leaf", leaf, "key", leaf.KeyPEM, "all", holder)
	}
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	if err := xml.NewEncoder(&out).Encode(holder.Key); err != nil {
		t.Fatal(err)
	}
	for _, key := range []pki.Secret{ca.KeyPEM(), leaf.KeyPEM} {
		secret := key.Reveal()
		line := secret[bytes.IndexByte(secret, '\n')+1:][:48]
		forms := []string{
			string(line), hex.EncodeToString(line), strings.ToUpper(hex.EncodeToString(line)),
			base64.StdEncoding.EncodeToString(line), strings.Trim(fmt.Sprint([]byte(line)), "[]"),
		}
		for _, form := range forms {
			if strings.Contains(out.String(), form) {
				t.Errorf("output contains the key as %.20q...", form)
			}
		}
	}
	if !strings.Contains(out.String(), `CA "test CA"`) ||
		!strings.Contains(out.String(), "[redacted]") {
		t.Error("output lacks what may be shown")
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	var zero pki.Secret
	if zero.Reveal() != nil || !zero.Equal(pki.Secret{}) {
		t.Error("the zero value is not empty")
	}
	key := newCA(t).KeyPEM()
	if !key.Equal(key) || key.Equal(zero) || key.Equal(newCA(t).KeyPEM()) {
		t.Error("Equal is wrong")
	}
	key.Reveal()[0] = 'x'
	if key.Reveal()[0] != '-' {
		t.Error("Reveal gave away its own copy")
	}
	if err := json.Unmarshal([]byte(`"[redacted]"`), &zero); err == nil {
		t.Error("a redacted key was read back as a key")
	}
}
