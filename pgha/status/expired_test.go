package status_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
)

// papers is a host on which every certificate is the same text.
type papers struct {
	deaf
	pem string
}

func (p papers) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	return answering(cmd.Script, func(question string) string {
		if !strings.HasPrefix(question, "grep -H ") {
			return ""
		}
		var out strings.Builder
		for _, at := range layout.Certificates() {
			for line := range strings.Lines(p.pem) {
				out.WriteString(at.File + ":" + line)
			}
		}
		return out.String()
	}), nil
}

// TestCertificatesOfTheHosts: what lies on a host counts, and not the copy in the state directory.
func TestCertificatesOfTheHosts(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	past := pki.WithClock(func() time.Time { return time.Now().Add(-2 * 365 * 24 * time.Hour) })
	ca, err := pki.NewCA("etcd", past)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(certs.Named(c.Spec, c.Spec.Databases()[0], layout.EtcdServer).Request)
	if err != nil {
		t.Fatal(err)
	}
	pem := map[string]string{"pg1": string(leaf.KeyPair().Cert), "pg2": "nothing of the kind\n"}
	for _, h := range c.Spec.Hosts {
		c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
			Executor: papers{deaf{name: h.Name}, pem[h.Name]}}
	}
	s, err := status.Look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	told := s.ProblemsOf(status.PartCertificates)
	if len(told) != 3 || !strings.Contains(told[0],
		"7 of 7 certificates on pg1 are worth nothing: pg1 etcd server ended on ") ||
		!strings.Contains(told[1], "certificates on pg2 are worth nothing: pg2 etcd server "+
			"cannot be read") {
		t.Errorf("it says %q", told)
	}
	for _, cs := range s.Certificates {
		if cs.Host == "pg1" && cs.DaysLeft >= 0 {
			t.Errorf("%+v", cs)
		}
	}
}
