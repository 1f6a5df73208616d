package labtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// scrapeJob is a job of the printed configuration.
type scrapeJob struct {
	Name   string `yaml:"job_name"`
	Scheme string `yaml:"scheme"`
	TLS    struct {
		CAFile string `yaml:"ca_file"`
	} `yaml:"tls_config"`
	Targets []struct {
		Addresses []string `yaml:"targets"`
	} `yaml:"static_configs"`
}

// TestMonitoring reads the metrics of every host as the printed configuration says, and holds the
// alert rules against them: each metric that a rule names is there. Where there is a Prometheus, it
// sees a host lose its power.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-monitoring", Installed: true, Hosts: 5})
	s := newSite(t, l, func(text string) string {
		return text + "monitoring: {networks: [192.168.0.0/24]}\n"
	})
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	s.applyNothing(t)
	runPart(t, "root's own commands", func(t *testing.T) { testBareCommands(t, s) })
	runPart(t, "HAProxy's log", func(t *testing.T) { testBalancersLog(t, s) })
	runPart(t, "scrapes", func(t *testing.T) { testScrapes(t, s) })
	runPart(t, "Prometheus", func(t *testing.T) { testPrometheus(t, s) })
	runPart(t, "another network", func(t *testing.T) { testAnotherNetwork(t, s) })
}

// testBareCommands: patronictl and etcdctl find the cluster for root without a word, however root
// comes in, and for nobody else.
func testBareCommands(t *testing.T, s site) {
	for _, h := range s.databases() {
		// sudo alone has a search path of its own, which in Debian 14 has no /usr/local.
		for _, shell := range []string{"sh -c", "su - -c", "systemd-run -q --pipe --wait sh -c",
			"sudo -i sh -c"} {
			out := s.mustInHost(t, h.Name, shell+" 'patronictl list && etcdctl endpoint health' 2>&1")
			if strings.Count(out, "running")+strings.Count(out, "streaming") != 3 ||
				strings.Count(out, "is healthy") != 3 {
				t.Errorf("%s, %q:\n%s", h.Name, shell, out)
			}
		}
		if out, code := s.inHost(t, h.Name,
			"runuser -u nobody -- sh -c 'patronictl list; etcdctl endpoint health'"); code == 0 ||
			strings.Contains(out, "postgresql-01") {
			t.Errorf("%s: nobody sees the cluster:\n%s", h.Name, out)
		}
	}
}

// testBalancersLog: sessions that went well, of which an apply and a verification open many, are
// not in HAProxy's log; servers that came up are.
func testBalancersLog(t *testing.T, s site) {
	s.verify(t)
	for _, b := range s.spec(t).Balancers() {
		log := s.mustInHost(t, b.Name, "journalctl -u haproxy -o cat --no-pager")
		if ended := regexp.MustCompile(`.*postgres_\w+/postgresql-0\d .* (?:SD|CD|--) .*`).
			FindAllString(log, 3); len(ended) > 0 || !strings.Contains(log, "is UP") {
			t.Errorf("%s:\n%s", b.Name, strings.Join(ended, "\n"))
		}
	}
}

func testScrapes(t *testing.T, s site) {
	union := ""
	for _, j := range scrapeJobs(t, s) {
		roots := x509.NewCertPool()
		if j.Scheme == "https" && !roots.AppendCertsFromPEM(patroniCA(t, s)) {
			t.Fatal("no authority")
		}
		for _, target := range j.Targets {
			url := "http"
			if j.Scheme != "" {
				url = j.Scheme
			}
			code, body := fetch(t, s, roots, url+"://"+target.Addresses[0]+"/metrics")
			if code != http.StatusOK || len(body) < 1000 {
				t.Errorf("%s: %s answers %d\n%s", j.Name, target.Addresses[0], code, body)
			}
			union += body
		}
	}
	rules := s.cli(t, "monitoring", "prometheus", "--rules").stdout
	names := regexp.MustCompile(`\b(?:patroni|etcd|haproxy)_\w+\{`).FindAllString(rules, -1)
	if len(names) < 20 {
		t.Errorf("the rules name %d metrics:\n%s", len(names), rules)
	}
	for _, name := range names {
		if !strings.Contains(union, "\n"+name) &&
			!strings.Contains(union, "\n"+strings.TrimSuffix(name, "{")+" ") {
			t.Errorf("a rule names %s, which no host serves", name)
		}
	}
	for _, label := range []string{`proxy="postgres_write",server="postgresql-01",state="UP"`,
		`server="postgresql-01:primary",state="UP"`} {
		if !strings.Contains(union, label) {
			t.Errorf("no host serves %s, which rules ask for", label)
		}
	}
	// The port of etcd's metrics opens no data.
	if code, body := fetch(t, s, nil,
		"http://"+s.databases()[0].Address+":2381/v3/kv/range"); code != http.StatusNotFound {
		t.Errorf("etcd answers %d to a question for its data:\n%s", code, body)
	}
}

func scrapeJobs(t *testing.T, s site) []scrapeJob {
	t.Helper()
	var file struct {
		Jobs []scrapeJob `yaml:"scrape_configs"`
	}
	got := s.cli(t, "monitoring", "prometheus")
	if err := yaml.Unmarshal([]byte(got.stdout), &file); err != nil || len(file.Jobs) != 3 {
		t.Fatalf("%v: %s%s", err, got.stdout, got.stderr)
	}
	return file.Jobs
}

func patroniCA(t *testing.T, s site) []byte {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(s.spec(t).StateDir, "ca", "patroni.crt"))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// fetch asks once, without a client's certificate; 0 is no answer.
func fetch(t *testing.T, s site, roots *x509.CertPool, url string) (int, string) {
	t.Helper()
	transport := &http.Transport{DialContext: s.DialContext,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// testPrometheus has a Prometheus of this machine in the lab's network: every target is up, no rule
// fails, and when a host loses its power the alerts for it fire.
func testPrometheus(t *testing.T, s site) {
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no " + program + " (Debian's package prometheus)")
		}
	}
	const at = "127.0.0.1:29090"
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "patroni-ca.crt"), patroniCA(t, s))
	writeFile(t, filepath.Join(dir, "rules.yml"),
		[]byte(s.cli(t, "monitoring", "prometheus", "--rules").stdout))
	writeFile(t, filepath.Join(dir, "prometheus.yml"), []byte(
		"global: {evaluation_interval: 5s}\nrule_files: [rules.yml]\n"+
			s.cli(t, "monitoring", "prometheus").stdout))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		var out bytes.Buffer
		code, err := s.Run(ctx, []string{"prometheus", "--config.file=" + dir + "/prometheus.yml",
			"--storage.tsdb.path=" + dir + "/data", "--web.listen-address=" + at}, lab.Stdio{Err: &out})
		if ctx.Err() == nil {
			t.Errorf("Prometheus ended with %d (%v):\n%s", code, err, out.String())
		}
	})
	query := func(expr string) string {
		var out bytes.Buffer
		_, _ = s.Run(t.Context(), []string{"promtool", "query", "instant", "http://" + at, expr},
			lab.Stdio{Out: &out, Err: &out})
		return out.String()
	}
	await(t, 2*time.Minute, "every target to be up", func() (bool, string) {
		got := query("up")
		return strings.Count(got, "} => 1 @") == 8, got
	})
	if got := query(`ALERTS{severity="critical",alertstate="firing"}`); strings.TrimSpace(got) != "" {
		t.Errorf("alerts of a healthy cluster:\n%s", got)
	}
	leader, _ := s.leader(t)
	dead := s.hostOf(t, leader)
	if err := s.Kill(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, alert := range []string{"PghaPatroniDown", "PghaEtcdDown"} {
		await(t, 4*time.Minute, alert, func() (bool, string) {
			got := query(`ALERTS{alertname="` + alert + `",alertstate="firing",host="` + dead + `"}`)
			return strings.Contains(got, alert), got + query("ALERTS")
		})
		t.Logf("%s fires %s after the power loss", alert, time.Since(start).Round(time.Second))
	}
	if err := s.StartHost(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	await(t, 2*time.Minute, "the alerts to end", func() (bool, string) {
		got := query(`ALERTS{alertstate="firing",severity="critical"}`)
		return strings.TrimSpace(got) == "", got
	})
	if got := query("prometheus_rule_evaluation_failures_total > 0"); strings.TrimSpace(got) != "" {
		t.Errorf("rules that fail:\n%s", got)
	}
}

// testAnotherNetwork: HAProxy answers those networks alone that the specification names, and etcd
// is not restarted for that.
func testAnotherNetwork(t *testing.T, s site) {
	url := "http://" + s.spec(t).Balancers()[0].Address + ":8405/metrics"
	if code, _ := fetch(t, s, nil, url); code != http.StatusOK {
		t.Errorf("before: %d", code)
	}
	pid := s.mustInHost(t, s.databases()[0].Name, "systemctl show -p MainPID --value etcd")
	text, err := os.ReadFile(s.specFile)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, bytes.Replace(text, []byte("networks: [192.168.0.0/24]"),
		[]byte("networks: [10.9.0.0/16]"), 1))
	s.apply(t, pgha.ApplyOptions{})
	if code, body := fetch(t, s, nil, url); code != 0 {
		t.Errorf("HAProxy answers %d to whom it should not:\n%s", code, body)
	}
	if now := s.mustInHost(t, s.databases()[0].Name,
		"systemctl show -p MainPID --value etcd"); now != pid {
		t.Error("etcd was restarted for HAProxy's sake")
	}
}
