package doctor

import (
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// Severity says how much a finding matters.
type Severity string

const (
	// Error: something is broken, or no longer protects the data.
	Error Severity = "error"
	// Warning: everything works, but will not for long, or not through the next fault.
	Warning Severity = "warning"
)

// Finding is one thing that is wrong. Its JSON form is stable: fields are added, never renamed.
type Finding struct {
	// ID names the kind of trouble and does not change between versions; docs/doctor.md lists all.
	ID string `json:"id"`
	// Host is the host that is concerned, "" for the cluster as a whole.
	Host string `json:"host,omitempty"`
	// Subject tells several findings of one kind on one host apart: a unit, a path, a port. It may
	// be "".
	Subject  string   `json:"subject,omitempty"`
	Severity Severity `json:"severity"`
	// Title says what is wrong, Consequence what that causes.
	Title       string `json:"title"`
	Consequence string `json:"consequence"`
	// Evidence is what was seen: values, lines of files and of journals.
	Evidence []string `json:"evidence"`
	// Remedy holds the steps that mend it, in their order. Where a decision is needed first, Advice
	// says which.
	Remedy []Step    `json:"remedy"`
	Advice errs.Next `json:"advice,omitzero"`
	// Fixable: package checkup can run the remedy.
	Fixable bool `json:"fixable"`
	// Symptoms are findings that this one explains, so that they are not worth a look before it is
	// mended.
	Symptoms []Finding `json:"symptoms,omitempty"`

	// explains names the findings that follow from this one.
	explains []symptom
}

// symptom matches findings; "" matches any host or subject.
type symptom struct{ id, host, subject string }

func (s symptom) matches(f Finding) bool {
	return s.id == f.ID && (s.host == "" || s.host == f.Host) &&
		(s.subject == "" || s.subject == f.Subject)
}

// Key tells the findings of one diagnosis apart: "etcd-member-down@postgres-01",
// "unit-stopped@haproxy-01/haproxy.service".
func (f Finding) Key() string {
	key := f.ID
	if f.Host != "" {
		key += "@" + f.Host
	}
	if f.Subject != "" {
		key += "/" + f.Subject
	}
	return key
}

// Diagnosis is what Examine found.
type Diagnosis struct {
	Cluster string    `json:"cluster"`
	Time    time.Time `json:"time"`
	// Seconds is how long everything took.
	Seconds float64 `json:"seconds"`
	// Hosts is how many hosts answered, of HostsTotal.
	Hosts      int `json:"hosts"`
	HostsTotal int `json:"hosts_total"`
	// Healthy: there is no finding of severity error.
	Healthy bool `json:"healthy"`
	// Findings are causes, the gravest first; what they explain is below them.
	Findings []Finding `json:"findings"`
	// Unknown lists what could not be looked at, with the reason.
	Unknown []string `json:"unknown,omitempty"`
}

// Errors returns the findings of severity error.
func (d Diagnosis) Errors() []Finding {
	var list []Finding
	for _, f := range d.Findings {
		if f.Severity == Error {
			list = append(list, f)
		}
	}
	return list
}

// Find returns the findings with an ID, or the one with a key. Symptoms are not among them: their
// cause is what is to be mended.
func (d Diagnosis) Find(idOrKey string) []Finding {
	var list []Finding
	for _, f := range d.Findings {
		if f.ID == idOrKey || f.Key() == idOrKey {
			list = append(list, f)
		}
	}
	return list
}
