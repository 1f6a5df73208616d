package doctor

import (
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

// TestExpiring holds the finding to what its remedy does: apply makes a certificate anew from the last third of its life on,
// so that none is told of earlier, however short it lasts.
func TestExpiring(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ca, err := pki.NewCA("etcd")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lifetime, left time.Duration
		want           string
	}{
		{365 * day, 365 * day, ""},
		{365 * day, 31 * day, ""},
		{365 * day, 29 * day, "expiring"},
		{60 * day, 29 * day, ""},
		{60 * day, 19 * day, "expiring"},
		{5 * day, 5 * day, ""},
		{5 * day, 2 * day, ""},
		{5 * day, 39 * time.Hour, "expiring"},
		{day, day, ""},
		{day, time.Hour, "expiring"},
		{day, -time.Hour, "expired"},
	} {
		issued, err := ca.Issue(pki.Request{CommonName: "patroni-a", Usage: pki.ClientUsage, Lifetime: c.lifetime})
		if err != nil {
			t.Fatal(err)
		}
		f := Facts{Time: time.Now().Add(c.lifetime - c.left)}
		f.Authorities.Etcd = ca.CertPEM()
		file := certificateFile{name: "etcd client", component: "etcd"}
		trouble, seen := f.judge(&Host{}, file, Certificate{PEM: string(issued.CertPEM), KeyMatches: true})
		if trouble != c.want {
			t.Errorf("%s left of %s: %q (%s), want %q", c.left, c.lifetime, trouble, seen, c.want)
		}
	}
}
