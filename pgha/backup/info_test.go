package backup

import (
	"errors"
	"os"
	"testing"
)

// TestParseInfo reads what pgBackRest 2.60 printed of a cluster with a backup.
func TestParseInfo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/info.json")
	if err != nil {
		t.Fatal(err)
	}
	found, err := parseInfo(text)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := found.Newest()
	if !ok || s.Label != "20261130-092951F" || s.Type != Full || s.Size != 103388046 ||
		s.RepositorySize != 9009608 || s.StopLSN != "0/7000120" || s.Stop.Unix() != 1796030996 ||
		s.System != "7713893789223048403" || found.System != s.System || !found.Encrypted ||
		found.LastSegment != "00000001000000000000000E" || found.Running {
		t.Errorf("%+v", found)
	}
	if _, ok := found.Set(s.Label); !ok {
		t.Error("it is not found by its label")
	}
}

func TestParseInfoOfNothing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		`[]`: ErrNoRepository,
		`[{"name":"x","status":{"code":1,"message":"missing stanza path"}}]`: ErrNoRepository,
		`[{"name":"x","status":{"code":3,"message":"missing stanza data"}}]`: ErrNoRepository,
		`[{"name":"x","status":{"code":2,"message":"no valid backups"}}]`:    nil,
	} {
		if _, err := parseInfo([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "ERROR", `[{"status":{"code":99,"message":"[CryptoError]"}}]`} {
		if _, err := parseInfo([]byte(text)); err == nil {
			t.Errorf("%q is an answer", text)
		}
	}
}
