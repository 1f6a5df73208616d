package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/spec"
)

// expiringWithin is how long before its end a certificate is told of; one that lasts less than 90 days, from the third of
// its life on in which apply makes it anew.
const expiringWithin = 30 * 24 * time.Hour

// What can be wrong with a certificate, the last word of its findings' IDs behind the component.
var certificateTroubles = []string{"missing", "expired", "not-yet-valid", "untrusted", "key-mismatch", "names", "expiring"}

func componentIDs(middle string, last []string) []string {
	var ids []string
	for _, component := range []string{"etcd", "patroni", "postgres"} {
		for _, word := range last {
			ids = append(ids, component+middle+word)
		}
	}
	return ids
}

func certificateIDs() []string { return componentIDs("-certificate-", certificateTroubles) }
func keyIDs() []string         { return componentIDs("-key-", []string{"exposed", "unreadable"}) }

func certificates(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		for _, file := range certificateFiles() {
			i := slices.IndexFunc(h.Certificates, func(c Certificate) bool { return c.Name == file.name })
			if i < 0 {
				continue
			}
			if trouble, text := f.judge(h, file, h.Certificates[i]); trouble != "" {
				list = append(list, certificateFinding(f, h, file, trouble, text))
			}
		}
	}
	return list
}

// judge says what is wrong with one certificate, the gravest first: one of certificateTroubles and what was seen.
func (f Facts) judge(h *Host, file certificateFile, c Certificate) (trouble, seen string) {
	block, _ := pem.Decode([]byte(c.PEM))
	if c.Error != "" || block == nil {
		return "missing", file.cert + " cannot be read as a certificate"
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "missing", file.cert + ": " + err.Error()
	}
	until := cert.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case f.Time.After(cert.NotAfter):
		return "expired", fmt.Sprintf("%s ended on %s", file.cert, until)
	case f.Time.Before(cert.NotBefore):
		return "not-yet-valid", fmt.Sprintf("%s begins on %s", file.cert, cert.NotBefore.UTC().Format(time.RFC3339))
	case !c.KeyMatches:
		return "key-mismatch", fmt.Sprintf("%s is not the key of %s", file.key, file.cert)
	}
	if err := trusted(cert, f.authority(file)); err != nil && f.StateTrouble == "" { // else the authority here is the wrong one
		return "untrusted", fmt.Sprintf("%s, issued by %q: %v", file.cert, cert.Issuer.CommonName, err)
	}
	if missing := missingNames(cert, f.Spec, h, file); len(missing) > 0 {
		return "names", fmt.Sprintf("%s lacks %s", file.cert, strings.Join(missing, ", "))
	}
	if left := cert.NotAfter.Sub(f.Time); left < min(expiringWithin, cert.NotAfter.Sub(cert.NotBefore)/3) {
		return "expiring", fmt.Sprintf("%s ends on %s, in %d days", file.cert, until, int(left.Hours()/24))
	}
	return "", ""
}

// authority is the one that a certificate has to come from. Of one file's certificates each component trusts its own.
func (f Facts) authority(file certificateFile) []byte {
	switch file.component {
	case "etcd":
		return f.Authorities.Etcd
	case "patroni":
		return f.Authorities.Patroni
	}
	return f.Authorities.Postgres
}

// trusted asks at the end of the certificate's life, as verify does: an authority that was made anew with
// the same key begins later than certificates that it issued before, and ends with none of them.
func trusted(cert *x509.Certificate, authority []byte) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return errors.New("the operator's authority cannot be read")
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: cert.NotAfter.Add(-time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

// missingNames are the names by which clients reach a server and that its certificate does not carry.
func missingNames(cert *x509.Certificate, sp *spec.Spec, h *Host, file certificateFile) []string {
	if !file.server {
		return nil
	}
	wanted := []string{h.Address, "127.0.0.1", h.Name}
	if file.component == "postgres" && sp.VIP != nil {
		wanted = append(wanted, sp.VIP.Address)
	}
	return slices.DeleteFunc(wanted, func(name string) bool { return cert.VerifyHostname(name) == nil })
}

func certificateFinding(f Facts, h *Host, file certificateFile, trouble, seen string) Finding {
	titles := map[string]string{
		"missing": "cannot be read", "expired": "has expired", "not-yet-valid": "is not valid yet", "untrusted": "is not of the cluster's authority",
		"key-mismatch": "and its key do not belong together", "names": "lacks names by which it is reached", "expiring": "will end soon",
	}
	found := Finding{ID: file.component + "-certificate-" + trouble, Host: h.Name, Subject: file.name, Severity: Error,
		Title: fmt.Sprintf("the %s certificate %s", file.name, titles[trouble]), Consequence: certificateConsequence(file),
		Evidence: []string{seen}, Remedy: apply()}
	if trouble == "expiring" {
		found.Severity = Warning
		found.Consequence = "then " + found.Consequence
	}
	if trouble == "not-yet-valid" {
		found.Advice = "if the certificate is right then the clock is wrong: look at its finding first"
	}
	found.explains = certificateSymptoms(h, file)
	return found
}

func certificateConsequence(file certificateFile) string {
	switch file.name {
	case "etcd server", "etcd gateway":
		return "nobody can talk to this etcd member: its Patroni must use the others, and one vote is as good as lost"
	case "etcd peer":
		return "this member cannot talk to the other members of etcd: one vote is lost as soon as connections are made anew"
	case "etcd client":
		return "Patroni on this host cannot reach etcd once it connects anew: a primary steps down"
	case "rest server":
		return "balancers refuse this Patroni's answer: no session is sent to its PostgreSQL"
	case "rest client":
		return "Patroni on this host cannot ask the others, nor can patronictl"
	}
	return "applications and replicas that verify certificates, as they should, cannot connect to this PostgreSQL"
}

// certificateSymptoms is what follows from a certificate, or a key, that cannot be used.
func certificateSymptoms(h *Host, file certificateFile) []symptom {
	list := []symptom{{"file-differs", h.Name, file.cert}, {"file-differs", h.Name, file.key}, {"configuration-not-loaded", h.Name, ""}}
	switch file.name {
	case "etcd server", "etcd peer", "etcd gateway":
		list = append(list, etcdSymptoms(h.Name)...)
	case "etcd client", "rest server", "rest client":
		list = append(list, databaseSymptoms(h.Name)...)
	default:
		// Replicas of this host, wherever they are, and its own start.
		list = append(list, symptom{"replica-not-streaming", "", ""}, symptom{"replication-login-fails", "", ""})
		list = append(list, databaseSymptoms(h.Name)...)
	}
	return list
}

// authorities tells of hosts that trust another authority than the operator's.
func authorities(f Facts) []Finding {
	var list []Finding
	for _, ch := range f.Drift {
		if ch.Kind != "file" || !strings.HasSuffix(ch.Name, "ca.crt") {
			continue
		}
		found := Finding{ID: "authority-differs", Host: ch.Host, Subject: ch.Name, Severity: Error,
			Title:       ch.Name + " is not the cluster's authority",
			Consequence: "the host refuses the certificates of all others once it connects anew",
			Evidence:    []string{fmt.Sprintf("apply would have it %s", ch.Action)}, Remedy: apply()}
		if h := f.host(ch.Host); h != nil {
			for _, u := range unitsOf(f.Spec, h.Role) {
				found.explains = append(found.explains, unitSymptoms(ch.Host, u)...)
			}
			found.explains = append(found.explains, symptom{"backend-down", "", ""}, symptom{"configuration-not-loaded", ch.Host, ""})
		}
		list = append(list, found)
	}
	return list
}

// keys looks at who may read private keys: others must not, their own program must.
func keys(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		for _, c := range certificateFiles() {
			file, ok := h.Files[c.key]
			if !ok {
				continue // the certificate has no key then, which is told already
			}
			seen := fmt.Sprintf("%s: mode %s, owner %s:%s; right is %s, %s", c.key, file.Mode, file.Owner, file.Group, c.mode, c.owner)
			found := Finding{Host: h.Name, Subject: c.name, Severity: Error, Evidence: []string{seen},
				explains: certificateSymptoms(h, c), Remedy: apply()}
			switch {
			case wider(file.Mode, c.mode):
				found.ID, found.Title = c.component+"-key-exposed", fmt.Sprintf("the private key of the %s certificate is open to others", c.name)
				found.Consequence = "whoever has a login on the host can pretend to be it; PostgreSQL refuses to start with such a key"
			case file.Owner+":"+file.Group != c.owner || file.Mode != c.mode:
				found.ID, found.Title = c.component+"-key-unreadable", fmt.Sprintf("the private key of the %s certificate has a wrong owner or mode", c.name)
				found.Consequence = "its program cannot read it when it starts or connects anew"
			default:
				continue
			}
			list = append(list, found)
		}
	}
	return list
}

// wider tells whether an octal mode grants what another does not.
func wider(mode, than string) bool {
	var m, t int
	if _, err := fmt.Sscanf(mode+" "+than, "%o %o", &m, &t); err != nil {
		return false
	}
	return m&^t&0o077 != 0
}
