package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestDiagnosisCanBeTyped: JSON has remedies and advice as a person types them, and the fields in
// the order that they always had.
func TestDiagnosisCanBeTyped(t *testing.T) {
	t.Parallel()
	symptom := doctor.Finding{ID: "replica-lags", Severity: doctor.Warning,
		Evidence: []string{"1 GiB"},
		Remedy:   []doctor.Step{{Call: errs.Verb(doctor.Restart, "pg2")}}}
	d := doctor.Diagnosis{Cluster: "demo", Time: time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC),
		Seconds: 0.5, Hosts: 5, HostsTotal: 6,
		Findings: []doctor.Finding{{
			ID: "wrong-system-identifier", Host: "db2", Subject: "x", Severity: doctor.Error,
			Title: "another cluster's", Consequence: "it never streams", Evidence: []string{"7"},
			Fixable: true,
			Remedy: []doctor.Step{
				{Host: "db2", Command: "systemctl stop patroni"},
				{Call: errs.Verb(doctor.Reinitialize, "pg2"), Deletes: "pg2"},
			},
			Advice:   errs.Text("see %s: 100 %% sure?", errs.Verb("logs", "patroni")),
			Symptoms: []doctor.Finding{symptom},
		}},
		Unknown: []string{"db3"}}
	got, err := json.Marshal(typedDiagnosis(d))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cluster":"demo","time":"2026-11-23T03:00:00Z","seconds":0.5,"hosts":5,"hosts_total":6,"healthy":false,"findings":[` +
		`{"id":"wrong-system-identifier","host":"db2","subject":"x","severity":"error","title":"another cluster's",` +
		`"consequence":"it never streams","evidence":["7"],"remedy":[{"host":"db2","command":"systemctl stop patroni"},` +
		`{"command":"pgha-cli reinit pg2"}],"advice":"see pgha-cli logs patroni: 100 % sure?","fixable":true,"symptoms":[` +
		`{"id":"replica-lags","severity":"warning","title":"","consequence":"","evidence":["1 GiB"],` +
		`"remedy":[{"command":"pgha-cli restart pg2"}],"fixable":false}]}],"unknown":["db3"]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if member := deletes(d.Findings); member != "pg2" {
		t.Errorf("what is deleted is %q", member)
	}
	if member := deletes([]doctor.Finding{symptom}); member != "" {
		t.Errorf("a restart deletes %q", member)
	}
	empty, err := json.Marshal(typedDiagnosis(doctor.Diagnosis{}).Findings)
	if err != nil || string(empty) != "[]" {
		t.Errorf("no findings are %s, %v", empty, err)
	}
}

// TestVerbsAreTyped: what the library says of verbs is shown, as text and as JSON, as commands of
// this program.
func TestVerbsAreTyped(t *testing.T) {
	t.Parallel()
	next := errs.Text("then %s", errs.Verb("restart", "--pending"))
	const want = "then pgha-cli restart --pending"
	wrong := fmt.Errorf("read: %w", &spec.Errors{List: []spec.Error{{Field: "ttl", Problem: "is 0",
		Remedy: next}}})
	if got := textOf(wrong); got != "read: ttl: is 0; "+want {
		t.Errorf("an error reads %q", got)
	}
	if got := message(pgha.Event{Message: next.String(), Next: next}); got != want {
		t.Errorf("a warning reads %q", got)
	}
	for name, shown := range map[string]any{
		"preflight": typedPreflight(pgha.PreflightReport{Findings: []pgha.Finding{{Remedy: next}}}),
		"advise":    typedAdvice(pgha.Advice{Remarks: []advisor.Remark{{Set: next}}}),
		"plan":      typedPlan(pgha.Plan{Consequences: []errs.Next{next}}),
		"config":    typedConfig(pgha.SetConfigResult{Notes: []errs.Next{next}}),
		"sync":      typedSynchronous(pgha.SynchronousResult{Notes: []errs.Next{next}}),
	} {
		text, err := json.Marshal(shown)
		if err != nil || !strings.Contains(string(text), strconv.Quote(want)) ||
			strings.Contains(string(text), `"verb"`) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}
