package spec_test

import (
	"fmt"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// TestTagsThatWork are combinations that look like those of testdata/wrong.txtar and do what they
// promise.
func TestTagsThatWork(t *testing.T) {
	t.Parallel()
	const none, archive = "{}", "{restore_command: cp /archive/%f %p}"
	for name, tt := range map[string]struct {
		tags       [3]string // of the three database hosts
		parameters string
		patroni    string
	}{
		"a chain": {
			[3]string{"{}", "{replicatefrom: db-1}", "{replicatefrom: db-2}"}, none, "{}",
		},
		"two from one": {
			[3]string{"{}", "{replicatefrom: db-1}", "{replicatefrom: db-1}"}, none, "{}",
		},
		"the first from another":   {[3]string{"{replicatefrom: db-2}", "{}", "{}"}, none, "{}"},
		"nostream with an archive": {[3]string{"{}", "{}", "{nostream: true}"}, archive, "{}"},
		"nostream with a command of the file": {
			[3]string{"{}", "{}", "{nostream: true}"}, none,
			"{extra: {postgresql: {parameters: {restore_command: cp /archive/%f %p}}}}",
		},
		"nostream with Patroni's own section": {
			[3]string{"{}", "{}", "{nostream: true}"}, none,
			"{extra: {postgresql: {recovery_conf: {restore_command: cp /archive/%f %p}}}}",
		},
		"from a member that replays": {
			[3]string{"{}", "{nostream: true}", "{replicatefrom: db-2}"}, archive, "{}",
		},
		"nostream off": {
			[3]string{"{}", "{}", "{nostream: false, replicatefrom: db-2}"}, none, "{}",
		},
		"one is synchronous": {
			[3]string{"{}", "{}", "{nosync: true}"}, none, "{synchronous_mode: strict}",
		},
		"synchronous, and never leads": {
			[3]string{"{}", "{nosync: true}", "{nofailover: true}"}, none,
			"{synchronous_mode: quorum}",
		},
		"nobody synchronous, and none wanted": {[3]string{"{}", "{nosync: true}",
			"{sync_priority: 0}"}, none, "{}"},
		"all have nosync off": {
			[3]string{"{nosync: false}", "{nosync: false}", "{sync_priority: 1}"}, none,
			"{synchronous_mode: on}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "version: 1\nhosts:\n"
			for i, tags := range tt.tags {
				text += fmt.Sprintf("  - {name: db-%d, address: 10.0.0.%d, role: database, "+
					"tags: %s}\n", i+1, i+1, tags)
			}
			text += fmt.Sprintf("postgresql: {parameters: %s}\npatroni: %s\n", tt.parameters,
				tt.patroni)
			if _, err := spec.Parse("pgha.yaml", []byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
}
