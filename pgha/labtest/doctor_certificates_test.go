package labtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"
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

// certificate puts a bad certificate over a host's own: of the cluster's authority of that name, or of a foreign one for "".
// Owners and modes stay.
func (w *ward) certificate(host, authority, path string, bad badCertificate) func(*ward) {
	return func(w *ward) {
		w.Helper()
		key, certificate := w.issue(host, authority, bad)
		if bad.otherKey {
			key = newKey(w)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			w.Fatal(err)
		}
		write := func(path, kind string, der []byte) {
			w.mustInHost(w.T, host, fmt.Sprintf("cat >%s <<'PEM'\n%sPEM\n", path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
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

// issue makes the certificate with its key.
func (w *ward) issue(host, authority string, bad badCertificate) (crypto.Signer, []byte) {
	key, now := newKey(w), time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "bad " + host}, NotBefore: now.Add(bad.from - time.Minute), NotAfter: now.Add(bad.to),
		DNSNames: bad.names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if bad.names == nil {
		template.DNSNames = []string{host}
		template.IPAddresses = []net.IP{net.ParseIP(w.address(host)), net.ParseIP("127.0.0.1"), net.ParseIP("192.168.0.210")}
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
