package labtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
)

const day = 24 * time.Hour

// badCertificate says what is wrong with a certificate. Times count from now.
type badCertificate struct {
	from, to time.Duration
	// names replace the host's own.
	names []string
	// otherKey puts a key beside it that is not its own, noKey none.
	otherKey, noKey bool
}

// certificate puts a bad certificate over a host's own: of the cluster's authority of that name, or
// of a foreign one for "". Owners and modes stay.
func (w *ward) certificate(host, authority, path string, bad badCertificate) func(*ward) {
	return func(w *ward) {
		w.Helper()
		key, certificate := w.issue(host, authority, path, bad)
		if bad.otherKey {
			key = newKey(w)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			w.Fatal(err)
		}
		write := func(path, kind string, der []byte) {
			w.mustInHost(w.T, host, fmt.Sprintf("cat >%s <<'PEM'\n%sPEM\n", path,
				pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
		}
		write(path+".crt", "CERTIFICATE", certificate)
		if !bad.noKey {
			write(path+".key", "PRIVATE KEY", der)
		}
	}
}

func newKey(w *ward) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// own returns the certificate that apply put there, as the state directory has it; PostgreSQL's
// where an authority's lies.
func (w *ward) own(host, path string) *x509.Certificate {
	for _, at := range layout.Certificates() {
		if at.File == path+".crt" || at.CA == path+".crt" && at.Name == layout.Postgres {
			stored := filepath.Join(w.spec(w.T).StateDir, "certs", host+"-"+at.Name)
			pair, err := tls.LoadX509KeyPair(stored+".crt", stored+".key")
			if err != nil {
				w.Fatal(err)
			}
			return pair.Leaf
		}
	}
	w.Fatalf("no certificate lies at %s", path)
	return nil
}

// issue makes a certificate with its key that differs from the host's own in what is bad alone.
func (w *ward) issue(host, authority, path string, bad badCertificate) (crypto.Signer, []byte) {
	key, now, own := newKey(w), time.Now(), w.own(host, path)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: own.Subject,
		NotBefore: now.Add(bad.from - time.Minute), NotAfter: now.Add(bad.to),
		DNSNames: own.DNSNames, IPAddresses: own.IPAddresses,
		ExtKeyUsage: own.ExtKeyUsage, KeyUsage: own.KeyUsage, SubjectKeyId: own.SubjectKeyId,
	}
	if bad.names != nil {
		template.DNSNames, template.IPAddresses = bad.names, nil
	}
	signer, parent := key, template
	if authority != "" {
		ca := filepath.Join(w.spec(w.T).StateDir, "ca", authority)
		pair, err := tls.LoadX509KeyPair(ca+".crt", ca+".key")
		if err != nil {
			w.Fatal(err)
		}
		signer, parent = pair.PrivateKey.(crypto.Signer), pair.Leaf
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		w.Fatal(err)
	}
	return key, der
}
