package patroni_test

import (
	"testing"

	"github.com/pgha/toolkit/pgha/patroni"
)

func TestParseRefusal(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		// As Patroni 4.1.5 logs it, with and without the journal's own beginning.
		"2026-11-28 10:53:18,823 WARNING: Connected to Etcd node with term 2. Old known term 3. " +
			"Switching to another node.": "etcd is at term 2, and Patroni knew term 3",
		"2026-11-28T10:53:18+00:00 postgres-01 patroni[3957]: 2026-11-28 10:53:18,823 WARNING: " +
			"Connected to Etcd node with term 2. Old known term 118. Switching to another node.": "etcd is at term 2, and Patroni knew term 118",
		"2026-11-28 10:53:18,826 ERROR: Failed to get list of machines from " +
			"https://192.168.0.205:2379/v3: StaleEtcdNode()": "",
		"2026-11-28 10:53:19,729 INFO: DCS is not accessible":   "",
		"Connected to Etcd node with term x. Old known term 3.": "",
		"": "",
	} {
		r, ok := patroni.ParseRefusal(line)
		if ok != (want != "") || ok && r.String() != want {
			t.Errorf("%q: %v, %v, want %q", line, r, ok, want)
		}
	}
}
