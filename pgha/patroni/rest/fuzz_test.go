package rest

import (
	"encoding/json"
	"testing"
)

// FuzzParseHistory reads what Patroni answers to /history, or anything else.
func FuzzParseHistory(f *testing.F) {
	f.Add([]byte(
		`[[1, 67108960, "no recovery target specified", "2026-11-23T11:00:00+00:00", "pg2"], [2, "67108961", "x"]]`))
	f.Add([]byte(`[[], null, [{}, [], -1, 7, true, "more", "than", "five"]]`))
	f.Add([]byte(`{"a": 1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		history, err := parseHistory(body)
		if err != nil && history != nil {
			t.Error("a history together with an error")
		}
		if _, err := json.Marshal(history); err != nil {
			t.Errorf("%+v is no JSON: %v", history, err)
		}
	})
}
