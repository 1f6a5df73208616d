package trail

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJoinedRecords(t *testing.T) {
	t.Parallel()
	change := func(host string) RecordedChange {
		return RecordedChange{Host: host, Kind: "file", Name: "/x", Action: "updated"}
	}
	begin := OperationRecord{ID: "a", Verb: "apply", Holder: "anna"}
	end := func(host string) OperationRecord {
		r := begin
		r.Finished, r.Seconds, r.Error, r.Changes = true, 2, "broken",
			[]RecordedChange{change(host)}
		return r
	}
	for name, lines := range map[string][]OperationRecord{
		"begin, end, of two hosts":     {begin, end("h1"), begin, end("h2")},
		"the second host's come first": {begin, end("h2"), begin, end("h1")},
		"a begin comes after all":      {end("h2"), end("h1"), begin, begin},
		"one host knows only the end":  {end("h1"), begin, end("h2")},
	} {
		var got OperationRecord
		for _, l := range lines {
			got = joined(got, l)
		}
		want := end("h1")
		want.Changes = []RecordedChange{change("h1"), change("h2")}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := joined(joined(OperationRecord{}, begin), begin); got.Finished || got.Changes == nil ||
		len(got.Changes) != 0 {
		t.Errorf("an operation that did not end: %+v", got)
	}
}
