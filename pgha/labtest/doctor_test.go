package labtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/doctor/checkup"
	"github.com/pgha/toolkit/pgha/lab"
)

// Bounds of the doctor's test. Finding is quick; healing includes a replica that streams again.
const (
	foundWithin  = 60 * time.Second
	mendedWithin = 120 * time.Second
	// promised is how long the doctor may take for six healthy hosts, on a machine that does
	// nothing else.
	promised = 3 * time.Second
)

// ward is the cluster under examination: who is who in it, and what is to be done when a wave of
// faults is over.
type ward struct {
	*testing.T
	site
	doctor              *pgha.Cluster
	primary             string
	replicas, balancers []string
	holder              string
}

// fault is something that goes wrong on a host, for real.
type fault struct {
	name string
	// finding is what the doctor has to come to: ID@host, or the ID alone.
	finding string
	make    func(w *ward)
	// also are IDs of further errors that may stand beside it.
	also []string
	// byHand mends what no command can: power, cables, a decision.
	byHand func(w *ward)
	// tidy removes what the fault needed and no remedy is expected to remove.
	tidy func(w *ward)
}

// outcomeOf is a line of the table.
type outcomeOf struct {
	fault, finding, mended string
	found                  time.Duration
}

// TestDoctor makes more than thirty faults in a cluster, several at a time where they do not
// disturb each other, and has the doctor find the cause of each, and nothing else; then it mends
// them as the doctor says, half by Fix and half by typing what is printed. Before, between and
// after there is nothing to find.
func TestDoctor(t *testing.T) {
	t.Parallel()
	wantTime(t, 9*time.Minute)
	testDoctor(t, startLab(t, lab.Options{Name: "e2e-doctor", Installed: true}), waves(), 30)
}

// TestDoctorOfCertificates does so with what else can be wrong with certificates and keys.
func TestDoctorOfCertificates(t *testing.T) {
	t.Parallel()
	rarely(t)
	testDoctor(t, startLab(t, lab.Options{Name: "e2e-doctor-certificates", Installed: true}),
		certificateWaves(), 23)
}

// TestDoctorOfConditions does so with more of what people do to a host.
func TestDoctorOfConditions(t *testing.T) {
	t.Parallel()
	rarely(t)
	testDoctor(t, startLab(t, lab.Options{Name: "e2e-doctor-conditions", Installed: true}),
		[]wave{conditionWave}, 6)
}

func testDoctor(t *testing.T, l *lab.Lab, waves []wave, promisedFaults int) {
	t.Helper()
	s := newSite(t, l, nil)
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	w := &ward{T: t, site: s}
	s.with(t, pgha.ConnectOptions{ReadOnly: true, AllowUnreachable: true}, func(c *pgha.Cluster) {
		w.doctor = c
		healthy := w.awaitNothing()
		t.Logf("a healthy cluster: nothing found in %.1f s", healthy.Seconds)
		if took := time.Duration(healthy.Seconds * float64(time.Second)); took > promised {
			t.Logf("this is more than %s; is the machine busy?", promised)
		}
		var table []outcomeOf
		for i, wave := range waves {
			w.lookWhoIsWho()
			start := time.Now()
			faults := wave(w)
			table = append(table, w.run(faults)...)
			t.Logf("wave %d: %d faults, %s", i+1, len(faults),
				time.Since(start).Round(100*time.Millisecond))
			if t.Failed() {
				break
			}
		}
		w.bundleWithoutSecrets()
		t.Log("\n" + tableOf(table))
		if !t.Failed() && len(table) < promisedFaults {
			t.Errorf("%d faults were made, %d are promised", len(table), promisedFaults)
		}
	})
	s.verify(t)
}

// bundleWithoutSecrets packs the bundle and looks for everything that must not be in it: the
// cluster's own passwords and keys, and a password in a statement that PostgreSQL has logged.
func (w *ward) bundleWithoutSecrets() {
	w.Helper()
	const canary = "kanarienvogel"
	w.inHost(w.T, w.primary, psqlIn("ALTER ROLE nobody_of_this_name PASSWORD '"+canary+"'"))
	b, err := checkup.Bundle(w.Context(), w.doctor, checkup.Options{})
	if err != nil {
		w.Fatal(err)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(b.Archive))
	if err != nil {
		w.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		w.Fatal(err)
	}
	secrets := []string{canary, "PRIVATE KEY-----\nM"}
	for _, role := range []string{"superuser", "replication", "rewind"} {
		password, err := os.ReadFile(filepath.Join(w.spec(w.T).StateDir, "secrets", role))
		if err != nil {
			w.Fatal(err)
		}
		secrets = append(secrets, string(password))
	}
	for _, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			w.Errorf("the bundle holds a secret that begins with %.4q", secret)
		}
	}
	for _, file := range []string{
		"facts.json", "diagnosis.json", "spec.yaml", w.primary + "/patroni-config.yml",
		w.holder + "/haproxy.cfg", w.primary + "/journal-patroni.log",
	} {
		if !slices.Contains(b.Files, file) {
			w.Errorf("the bundle lacks %s", file)
		}
	}
	if !bytes.Contains(text, []byte("nobody_of_this_name")) {
		w.Error("the bundle lacks PostgreSQL's complaint, so its canary says nothing")
	}
}

func (w *ward) lookWhoIsWho() {
	status := w.status(w.T)
	w.primary, w.replicas, w.balancers = "", nil, nil
	for _, m := range status.Members {
		if m.Role == "leader" {
			w.primary = m.Host
		} else {
			w.replicas = append(w.replicas, m.Host)
		}
	}
	// The holder comes first: what is done to it moves the address.
	w.holder = status.VIP.Holders[0]
	w.balancers = []string{w.holder}
	for _, b := range status.Balancers {
		if b.Host != w.holder {
			w.balancers = append(w.balancers, b.Host)
		}
	}
}

func (w *ward) examine() doctor.Diagnosis {
	w.Helper()
	// A busy machine is no fault of the cluster: how long a look takes stands in the benchmark.
	d, err := checkup.Examine(w.Context(), w.doctor, checkup.Options{LongTransaction: longInTest,
		Timeout: 30 * time.Second})
	if err != nil {
		w.Fatal(err)
	}
	return d
}

// longInTest is the age of a transaction that the doctor is to report.
const longInTest = 5 * time.Second

// awaitNothing waits until the doctor has nothing to say, and knows everything. An etcd member that
// was away has lost its leadership, maybe to the primary's host, which is a finding of its own: it
// is mended as the doctor says.
func (w *ward) awaitNothing() (d doctor.Diagnosis) {
	w.Helper()
	await(w.T, mendedWithin, "the doctor to find nothing", func() (bool, string) {
		// A connection that was silent for 15 s, as behind a pulled cable, is not made again by
		// itself.
		if err := w.doctor.Reconnect(w.Context()); err != nil {
			return false, err.Error()
		}
		d = w.examine()
		for _, f := range d.Find("etcd-leader-on-primary") {
			w.with(w.T, pgha.ConnectOptions{Existing: true}, func(c *pgha.Cluster) {
				if err := checkup.Fix(w.Context(), c, f, pgha.Operation{}); err != nil {
					w.Log(err) // the leadership may have moved on already
				}
			})
		}
		return len(d.Findings) == 0 && len(d.Unknown) == 0, told(d)
	})
	return d
}

func told(d doctor.Diagnosis) string {
	var lines []string
	for _, f := range d.Findings {
		lines = append(lines, fmt.Sprintf("%s %s: %s %q", f.Severity, f.Key(), f.Title, f.Evidence))
	}
	return strings.Join(append(lines, d.Unknown...), "\n")
}

func matches(f doctor.Finding, name string) bool {
	return f.ID == name || f.ID+"@"+f.Host == name || f.Key() == name
}

// run makes the faults, waits until each is found and no error but theirs, and mends them.
func (w *ward) run(faults []fault) []outcomeOf {
	w.Helper()
	results := make([]outcomeOf, len(faults))
	var allowed []string
	for i, f := range faults {
		w.Logf("making: %s", f.name)
		f.make(w)
		if f.tidy != nil {
			defer f.tidy(w)
		}
		results[i] = outcomeOf{fault: f.name, finding: f.finding}
		allowed = append(append(allowed, f.finding), f.also...)
	}
	made := time.Now()
	var last doctor.Diagnosis
	w.awaitDiagnosis(func() (bool, string) {
		last = w.examine()
		missing := ""
		for i, f := range faults {
			if results[i].found > 0 {
				continue
			}
			if !slices.ContainsFunc(last.Findings,
				func(g doctor.Finding) bool { return matches(g, f.finding) }) {
				missing += "\nmissing: " + f.finding
				continue
			}
			results[i].found = time.Since(made)
		}
		for _, g := range last.Errors() {
			if !slices.ContainsFunc(allowed, func(a string) bool { return matches(g, a) }) {
				missing += "\nunexpected: " + g.Key()
			}
		}
		return missing == "", missing + "\n" + told(last)
	})
	w.mend(faults, last, results)
	w.awaitNothing()
	return results
}

func (w *ward) awaitDiagnosis(ok func() (bool, string)) {
	w.Helper()
	await(w.T, foundWithin, "every cause to be found, and no other", ok)
}

// mend does what the doctor says: for every other fault by Fix, for the others by typing the
// commands as they are printed. One apply mends all that it can.
func (w *ward) mend(faults []fault, d doctor.Diagnosis, results []outcomeOf) {
	w.Helper()
	ran := map[string]string{}
	for i, f := range faults {
		if f.byHand != nil {
			results[i].mended = "hand"
			f.byHand(w)
		}
	}
	w.with(w.T, pgha.ConnectOptions{AllowUnreachable: true}, func(c *pgha.Cluster) {
		for i, f := range faults {
			at := slices.IndexFunc(d.Findings, func(g doctor.Finding) bool {
				return matches(g, f.finding)
			})
			if f.byHand != nil || at < 0 {
				continue
			}
			g := d.Findings[at]
			commands := fmt.Sprint(g.Remedy)
			if len(g.Remedy) == 0 {
				w.Errorf("%s has no remedy", g.Key())
			}
			if how, done := ran[commands]; done {
				results[i].mended = how
				continue
			}
			if g.Fixable && i%2 == 0 {
				results[i].mended = "--fix"
				if err := checkup.Fix(w.Context(), c, g, pgha.Operation{}); err != nil {
					w.Errorf("fix %s: %v", g.Key(), err)
				}
			} else {
				results[i].mended = "printed command"
				w.typeIn(c, g)
			}
			ran[commands] = results[i].mended
		}
	})
}

// typeIn runs the printed commands literally: on the host, or here.
func (w *ward) typeIn(c *pgha.Cluster, g doctor.Finding) {
	w.Helper()
	for _, step := range g.Remedy {
		if step.Host != "" {
			w.mustInHost(w.T, step.Host, step.Command)
			continue
		}
		if step.Call.Verb == doctor.Apply {
			// The state directory is open already: what the command does, without its second
			// process.
			if _, err := c.Apply(w.Context(), pgha.ApplyOptions{}); err != nil {
				w.Errorf("%s: %v", step.Call, err)
			}
			continue
		}
		words := append([]string{step.Call.Verb}, step.Call.Args...)
		if out := w.cli(w.T, append(words, "--yes")...); out.code != 0 {
			w.Errorf("%s: exit code %d\n%s%s", step.Call, out.code, out.stdout, out.stderr)
		}
	}
}

func tableOf(results []outcomeOf) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tFAULT\tFINDING\tFOUND AFTER\tMENDED BY")
	for i, r := range results {
		fmt.Fprintf(w, "%d\t%s\t%s\t%.1f s\t%s\n", i+1, r.fault, r.finding, r.found.Seconds(),
			r.mended)
	}
	w.Flush()
	return text.String()
}

// wave is a set of faults that do not disturb each other.
type wave func(w *ward) []fault

// in runs a script on a host; a fault that could not be made is no fault.
func (w *ward) in(host, script string) func(*ward) {
	return func(w *ward) {
		w.Helper()
		w.mustInHost(w.T, host, script)
	}
}

// plug puts a host's cable in again.
func (w *ward) plug(host string) func(*ward) {
	return func(w *ward) {
		if err := w.Heal(context.WithoutCancel(w.Context()), host); err != nil {
			w.Error(err)
		}
	}
}
