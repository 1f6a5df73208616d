package pgha

import (
	"strings"
	"testing"
	"time"
)

// fit is a database host of which nothing is to be said.
func fit(c *Cluster) Facts {
	f := Facts{Distribution: "debian", Release: "13", Architecture: "amd64", Root: true, Init: true, ClockSynced: true, FreeBytes: 100 << 30, Listeners: map[int]string{22: "sshd"}, Candidates: map[string]string{}}
	h, _ := c.Spec.Host("pg1")
	for _, p := range c.packagesOf(h) {
		f.Candidates[p] = "4.1.5-1"
	}
	return f
}

func TestJudgeHost(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	c.credentials = &credentials{etcdCA: []byte("our CA\n")}
	c.Spec.PostgreSQL.Source = "distribution"
	h, err := c.Spec.Host("m1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		change  func(*Facts)
		want    string // "" is nothing to say
		warning bool
	}{
		{"fit", func(*Facts) {}, "", false},
		{"own cluster runs", func(f *Facts) { f.Listeners[5432] = "postgres"; f.EtcdCA = "our CA" }, "", false},
		{"old system", func(f *Facts) { f.Release = "11" }, "debian 11 is not supported", false},
		{"no systemd", func(f *Facts) { f.Init = false }, "PID 1 is not systemd", false},
		{"no root", func(f *Facts) { f.Root = false }, "commands do not run as root", false},
		{"wrong clock", func(f *Facts) { f.ClockOffset = -5 * time.Second }, "the clock is off by -5s", false},
		{"no time service", func(f *Facts) { f.ClockSynced = false }, "the time service does not report", true},
		{"full disk", func(f *Facts) { f.FreeBytes = 100 << 20 }, "only 100 MiB are free", false},
		{"port taken", func(f *Facts) { f.Listeners[5432] = "nginx" }, `port 5432 is in use by "nginx"`, false},
		{"package missing", func(f *Facts) { delete(f.Candidates, "patroni") }, "apt offers no patroni", false},
		{"old Patroni", func(f *Facts) { f.Candidates["patroni"] = "3.3.2-1" }, "3.3 is older than 4.0", false},
		{"another cluster's host", func(f *Facts) { f.EtcdCA = "their CA" }, "another certificate authority", false},
	} {
		f := fit(c)
		tt.change(&f)
		found := c.judgeHost(h, f)
		switch {
		case tt.want == "" && len(found) > 0:
			t.Errorf("%s: found %v", tt.name, found)
		case tt.want == "":
		case len(found) != 1 || !strings.Contains(found[0].Problem, tt.want) || found[0].Warning != tt.warning || found[0].Remedy == "":
			t.Errorf("%s: found %+v, want %q (warning %v) with a remedy", tt.name, found, tt.want, tt.warning)
		}
		report := PreflightReport{Findings: found}
		if (report.Err() != nil) != (tt.want != "" && !tt.warning) {
			t.Errorf("%s: Err() = %v", tt.name, report.Err())
		}
	}
}
