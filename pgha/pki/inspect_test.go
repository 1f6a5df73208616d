package pki_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestDaysLeftAndRenewal(t *testing.T) {
	t.Parallel()
	info := pki.Info{NotBefore: epoch, NotAfter: epoch.Add(90 * 24 * time.Hour)}
	forever := pki.Info{NotBefore: epoch, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0,
		time.UTC)}
	tests := []struct {
		info  pki.Info
		after time.Duration
		days  int
		due   bool
	}{
		{info, 0, 90, false},
		{info, time.Second, 89, false},
		{info, 60 * 24 * time.Hour, 30, false},
		{info, 60*24*time.Hour + time.Second, 29, true},
		{info, 90*24*time.Hour - time.Second, 0, true},
		{info, 90*24*time.Hour + time.Second, -1, true},
		{info, 91 * 24 * time.Hour, -1, true},
		{info, 91*24*time.Hour + time.Second, -2, true},
		{forever, 0, 2910980, false}, // further than a time.Duration reaches
	}
	for _, test := range tests {
		now := epoch.Add(test.after)
		if days, due := test.info.DaysLeft(now), test.info.NeedsRenewal(now); days != test.days ||
			due != test.due {
			t.Errorf("after %s: %d days, due %t; want %d, %t", test.after, days, due, test.days,
				test.due)
		}
	}
}

func TestInfoJSON(t *testing.T) {
	t.Parallel()
	leaf := issue(t, newCA(t), serverRequest())
	text, err := json.Marshal(inspect(t, leaf.CertPEM))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"usage":"server"`, `"ips":["127.0.0.1","192.168.0.203"]`,
		`"notAfter":"2031-01-02T03:04:05Z"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

func TestInspectReadsAroundTheCertificate(t *testing.T) {
	t.Parallel()
	leaf := issue(t, newCA(t), serverRequest())
	want := inspect(t, leaf.CertPEM).SHA256
	decorated := "Certificate:\n    Data: as openssl x509 -text prints\n" +
		string(leaf.KeyPEM.Reveal()) +
		string(leaf.CertPEM)
	if got := inspect(t, []byte(decorated)).SHA256; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzInspect looks for panics, and checks what Inspect promises about whatever
// it accepts.
func FuzzInspect(f *testing.F) {
	ca, err := pki.NewCA("fuzz", pki.WithClock(at(epoch)))
	if err != nil {
		f.Fatal(err)
	}
	leaf, err := ca.Issue(serverRequest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ca.CertPEM())
	f.Add(leaf.Encode().Reveal())
	f.Add(append(ca.CertPEM(), leaf.CertPEM...))
	f.Add(leaf.CertPEM[:100])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := pki.Inspect(data)
		if err != nil {
			if info.SHA256 != "" {
				t.Error("a result beside an error")
			}
			return
		}
		if len(info.SHA256) != 64 {
			t.Errorf("fingerprint %q", info.SHA256)
		}
		if info.DaysLeft(info.NotAfter) != 0 ||
			info.DaysLeft(info.NotAfter.Add(time.Second)) != -1 {
			t.Errorf("days left at the end %s", info.NotAfter)
		}
		if bundle, err := pki.Bundle(data); err == nil {
			if again, err := pki.Bundle(bundle); err != nil || string(again) != string(bundle) {
				t.Errorf("bundle of a bundle differs, error %v", err)
			}
		}
	})
}

// TestEndsSoon: an authority says early enough that it ends, and never when it is new.
func TestEndsSoon(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		days, left int
		want       bool
	}{
		{3650, 3650, false}, {3650, 366, false}, {3650, 364, true}, {3650, -1, true},
		{730, 91, false}, {730, 89, true}, {200, 89, false}, {200, 66, true},
		{30, 30, false}, {30, 9, true}, {30, 11, false},
	} {
		i := pki.Info{NotBefore: epoch, NotAfter: epoch.AddDate(0, 0, tt.days)}
		if got := i.EndsSoon(i.NotAfter.AddDate(0, 0, -tt.left)); got != tt.want {
			t.Errorf("%d of %d days left: %v, want %v", tt.left, tt.days, got, tt.want)
		}
	}
	ca := newCA(t)
	short := newCA(t, pki.WithLifetime(time.Hour))
	first, err := pki.FirstEnd(append(ca.CertPEM(), short.CertPEM()...))
	if err != nil || first.SHA256 != short.Info().SHA256 {
		t.Errorf("%+v ends first, %v", first, err)
	}
}
