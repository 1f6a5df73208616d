package main

import (
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/errs"
)

// typed returns a verb as it is typed. The name of a lab is an option of the whole program, and
// stands before the verb.
func typed(c errs.Call) string {
	i := slices.Index(c.Args, "--lab-name")
	if i < 0 || i+1 >= len(c.Args) {
		return "pgha-cli " + c.Words()
	}
	rest := slices.Delete(slices.Clone(c.Args), i, i+2)
	return "pgha-cli --lab-name " + c.Args[i+1] + " " + errs.Verb(c.Verb, rest...).Words()
}

// typedTexts returns texts with verbs as they are typed; nil for none.
func typedTexts(list []errs.Next) []string {
	return each(list, func(n errs.Next) string { return n.Render(typed) })
}

// each returns what f makes of the elements, in their order; nil of nil.
func each[T, R any](list []T, f func(T) R) []R {
	if list == nil {
		return nil
	}
	made := make([]R, len(list))
	for i, element := range list {
		made[i] = f(element)
	}
	return made
}

// typedReport is a diagnosis as JSON has it: verbs are commands of this program. The fields and
// their order are those of doctor.Diagnosis.
type typedReport struct {
	Cluster    string         `json:"cluster"`
	Time       time.Time      `json:"time"`
	Seconds    float64        `json:"seconds"`
	Hosts      int            `json:"hosts"`
	HostsTotal int            `json:"hosts_total"`
	Healthy    bool           `json:"healthy"`
	Findings   []typedFinding `json:"findings"`
	Unknown    []string       `json:"unknown,omitempty"`
}

// typedFinding is a finding whose remedy and advice can be typed.
type typedFinding struct {
	ID          string          `json:"id"`
	Host        string          `json:"host,omitempty"`
	Subject     string          `json:"subject,omitempty"`
	Severity    doctor.Severity `json:"severity"`
	Title       string          `json:"title"`
	Consequence string          `json:"consequence"`
	Evidence    []string        `json:"evidence"`
	Remedy      []command       `json:"remedy"`
	Advice      string          `json:"advice,omitempty"`
	Fixable     bool            `json:"fixable"`
	Symptoms    []typedFinding  `json:"symptoms,omitempty"`
}

// command is a step as it is typed: on a host, or here.
type command struct {
	Host    string `json:"host,omitempty"`
	Command string `json:"command"`
}

func typedDiagnosis(d doctor.Diagnosis) typedReport {
	return typedReport{d.Cluster, d.Time, d.Seconds, d.Hosts, d.HostsTotal, d.Healthy,
		typedFindings(d.Findings), d.Unknown}
}

func typedFindings(list []doctor.Finding) []typedFinding {
	findings := make([]typedFinding, 0, len(list))
	for _, f := range list {
		t := typedFinding{ID: f.ID, Host: f.Host, Subject: f.Subject, Severity: f.Severity,
			Title: f.Title, Consequence: f.Consequence, Evidence: f.Evidence,
			Remedy: []command{}, Advice: f.Advice.Render(typed), Fixable: f.Fixable,
			Symptoms: typedFindings(f.Symptoms)}
		for _, s := range f.Remedy {
			t.Remedy = append(t.Remedy, typedStep(s))
		}
		findings = append(findings, t)
	}
	return findings
}

func typedStep(s doctor.Step) command {
	if s.Host == "" {
		return command{Command: typed(s.Call)}
	}
	return command{s.Host, s.Command}
}

func printDiagnosis(out *terminal.Terminal, d doctor.Diagnosis, all bool) {
	verdict := out.Paint(terminal.Green, "nothing is wrong")
	if n := len(d.Errors()); n > 0 {
		verdict = out.Paint(terminal.Red, counted(n, "error"))
		if w := len(d.Findings) - n; w > 0 {
			verdict += ", " + counted(w, "warning")
		}
	} else if w := len(d.Findings); w > 0 {
		verdict = out.Paint(terminal.Yellow, counted(w, "warning"))
	}
	out.Printf("cluster %s: %s (%d of %d hosts asked in %.1fs)\n", d.Cluster, verdict, d.Hosts,
		d.HostsTotal, d.Seconds)
	for _, f := range d.Findings {
		printFinding(out, f, all)
	}
	for _, u := range d.Unknown {
		out.Printf("\n%s not known: %s\n", out.Paint(terminal.Yellow, "!"), u)
	}
}

func printFinding(out *terminal.Terminal, f doctor.Finding, all bool) {
	sign := out.Paint(terminal.Red, "✗")
	if f.Severity == doctor.Warning {
		sign = out.Paint(terminal.Yellow, "!")
	}
	title := f.Title
	if f.Host != "" {
		title = f.Host + ": " + title
	}
	out.Printf("\n%s %s  %s\n", sign, out.Paint(terminal.Bold, title),
		out.Paint(terminal.Dim, f.ID))
	out.Printf("  causes   %s\n", f.Consequence)
	for _, e := range f.Evidence {
		out.Printf("  seen     %s\n", out.Paint(terminal.Dim, e))
	}
	for _, s := range f.Remedy {
		where := "here"
		if s.Host != "" {
			where = "on " + s.Host
		}
		out.Printf("  mend     %s: %s\n", where, typedStep(s).Command)
	}
	if !f.Advice.IsZero() {
		out.Printf("  advice   %s\n", f.Advice.Render(typed))
	}
	if f.Fixable {
		out.Printf("  or       %s\n", out.Paint(terminal.Green,
			"pgha-cli doctor --fix "+f.ID+atHost(f)))
	}
	if len(f.Symptoms) == 0 {
		return
	}
	if !all {
		var names []string
		for _, s := range f.Symptoms {
			names = append(names, s.Key())
		}
		out.Printf("  explains %s\n", out.Paint(terminal.Dim, strings.Join(names, ", ")))
		return
	}
	for _, s := range f.Symptoms {
		out.Printf("  explains %s: %s\n", s.Key(), s.Title)
		for _, e := range s.Evidence {
			out.Printf("             %s\n", out.Paint(terminal.Dim, e))
		}
	}
}

func atHost(f doctor.Finding) string {
	if f.Host == "" {
		return ""
	}
	return "@" + f.Host
}
