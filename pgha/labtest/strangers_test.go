package labtest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// testStrangers asks etcd and Patroni from every host, without a client certificate and, to prove
// that the questions are the right ones, with it.
func testStrangers(t *testing.T, s site) {
	for _, h := range s.Hosts() {
		for _, db := range s.databases() {
			if got := ask(t, s, h.Name, db.Address+":2379", "POST", "/v3/kv/range",
				`{"key":"AA==","range_end":"AA=="}`, ""); got.status != "" {
				t.Errorf("%s reads etcd of %s without a certificate: %s", h.Name, db.Name, got.text)
			} else if !strings.Contains(got.text, "certificate required") &&
				!strings.Contains(got.text,
					"bad certificate") {
				t.Errorf("%s: etcd of %s failed for another reason than a missing certificate: %s",
					h.Name,
					db.Name, got.text)
			}
			if got := ask(t, s, h.Name, db.Address+":8008", "POST", "/switchover", `{}`,
				""); got.status != "403" {
				t.Errorf("%s: POST /switchover on %s without a certificate: got %s", h.Name,
					db.Name, got.text)
			}
			if got := ask(t, s, h.Name, db.Address+":8008", "GET", "/cluster", "",
				""); got.status != "200" {
				t.Errorf("%s: GET /cluster on %s: got %s", h.Name, db.Name, got.text)
			}
		}
	}
	db := s.databases()[0]
	const certs = "/etc/patroni/certs/"
	if got := ask(t, s, db.Name, db.Address+":2379", "POST", "/v3/kv/range",
		`{"key":"AA==","range_end":"AA=="}`,
		certs+"etcd-client"); got.status != "200" {
		t.Errorf("reading etcd with a certificate: got %s", got.text)
	}
	// Refused because no sender is named, and not because of who asks.
	if got := ask(t, s, db.Name, db.Address+":8008", "POST", "/switchover", `{}`,
		certs+"rest-client"); got.status != "400" {
		t.Errorf("POST /switchover with a certificate: got %s", got.text)
	}
	// What one certificate opens, no other does.
	if got := ask(t, s, db.Name, db.Address+":2379", "POST", "/v3/kv/range",
		`{"key":"AA==","range_end":"AA=="}`,
		certs+"rest-client"); got.status != "" {
		t.Errorf("Patroni's certificate opens etcd: %s", got.text)
	}
}

// answer is what an HTTPS server said; status is "" when there was no HTTP answer.
type answer struct{ status, text string }

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.[01] (\d{3}) `)

// ask makes one HTTPS request from a host with OpenSSL's client: it is on all of them.
func ask(t *testing.T, s site, host, server, method, path, body, certificate string) answer {
	t.Helper()
	request := fmt.Sprintf(
		`%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s`,
		method, path, server, len(body), body)
	identity := ""
	if certificate != "" {
		identity = fmt.Sprintf("-cert %[1]s.crt -key %[1]s.key", certificate)
	}
	out, code := s.inHost(t, host,
		fmt.Sprintf("printf '%s' | timeout 10 openssl s_client -quiet -ign_eof %s -connect %s 2>&1",
			request, identity, server))
	if code == 124 {
		t.Errorf("%s: no answer from %s%s in 10 s", host, server, path)
	}
	got := answer{text: out}
	if m := statusLine.FindStringSubmatch(out); m != nil {
		got.status = m[1]
	}
	return got
}
