package doctor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
)

// What can be wrong with a certificate, the last word of its findings' IDs behind the component.
var certificateTroubles = []string{"missing", "expired", "not-yet-valid", "untrusted",
	"key-mismatch",
	"names", "outdated", "expiring"}

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
	for _, h := range f.members() {
		held, err := f.Spec.Host(h.Name)
		if err != nil {
			continue
		}
		for _, of := range certs.OfHost(f.Spec, held) {
			if of.Component == "backup" { // verify and `backup check` look at those
				continue
			}
			i := slices.IndexFunc(h.Certificates, func(c Certificate) bool {
				return c.Name == of.Label()
			})
			if i < 0 {
				continue
			}
			if trouble, seen := f.judge(of, h.Certificates[i]); trouble != "" {
				list = append(list, certificateFinding(f, h, of.Certificate, trouble, seen))
			}
		}
	}
	return list
}

// judge says what is wrong with one certificate: the gravest of certificateTroubles, and all that
// was seen. It calls wrong what apply would replace.
func (f Facts) judge(of certs.Certificate, c Certificate) (trouble, seen string) {
	if c.Error != "" {
		return "missing", of.File + " cannot be read as a certificate"
	}
	err := of.Judge(f.authority(of.Authority), []byte(c.PEM), c.KeyMatches, f.Time)
	if errors.Is(err, pki.ErrInvalidPEM) {
		return "missing", of.File + " cannot be read as a certificate"
	}
	var why pki.Reasons
	if !errors.As(err, &why) {
		return "", ""
	}
	if f.StateTrouble != "" { // then the authority here is the wrong one
		why = slices.DeleteFunc(why, func(err error) bool {
			return errors.Is(err, pki.ErrUntrusted)
		})
	}
	return troubleOf(why), of.File + ": " + why.Error()
}

// troubleOf names the gravest of the reasons to replace a certificate; "" for none.
func troubleOf(why pki.Reasons) string {
	var names *pki.NamesError
	switch {
	case len(why) == 0:
		return ""
	case errors.Is(why, pki.ErrExpired):
		return "expired"
	case errors.Is(why, pki.ErrNotYetValid):
		return "not-yet-valid"
	case errors.Is(why, pki.ErrKeyMismatch):
		return "key-mismatch"
	case errors.Is(why, pki.ErrUntrusted):
		return "untrusted"
	case errors.As(why, &names) && len(names.Missing) > 0:
		return "names"
	case len(why) == 1 && errors.Is(why, pki.ErrRenewalDue):
		return "expiring"
	}
	return "outdated"
}

// authority is the one that a certificate has to come from.
func (f Facts) authority(name string) []byte {
	switch name {
	case layout.EtcdAuthority:
		return f.Authorities.Etcd
	case layout.PatroniAuthority:
		return f.Authorities.Patroni
	}
	return f.Authorities.Postgres
}

func certificateFinding(f Facts, h *Host, file layout.Certificate, trouble, seen string) Finding {
	titles := map[string]string{
		"missing": "cannot be read", "expired": "has expired", "not-yet-valid": "is not valid yet",
		"untrusted":    "is not of the cluster's authority",
		"key-mismatch": "and its key do not belong together",
		"names":        "lacks names by which it is reached",
		"outdated":     "is not what the specification asks for", "expiring": "will end soon",
	}
	found := Finding{ID: file.Authority + "-certificate-" + trouble, Host: h.Name,
		Subject: file.Label(), Severity: Error,
		Title:       fmt.Sprintf("the %s certificate %s", file.Label(), titles[trouble]),
		Consequence: certificateConsequence(file),
		Evidence:    []string{seen}, Remedy: apply()}
	switch trouble {
	case "expiring":
		found.Severity = Warning
		found.Consequence = "then " + found.Consequence
	case "outdated":
		found.Severity = Warning
		found.Consequence = "those who look at what differs refuse it"
	}
	if trouble == "not-yet-valid" {
		found.Advice = errs.Text("if the certificate is right then the clock is wrong: look at " +
			"its finding first")
	}
	found.explains = certificateSymptoms(h, file)
	return found
}

func certificateConsequence(file layout.Certificate) string {
	switch file.Name {
	case layout.EtcdServer, layout.EtcdGateway:
		return "nobody can talk to this etcd member: its Patroni must use the others, and one " +
			"vote is as good as lost"
	case layout.EtcdPeer:
		return "this member cannot talk to the other members of etcd: one vote is lost as soon " +
			"as connections are renewed"
	case layout.EtcdClient:
		return "Patroni on this host cannot reach etcd once it reconnects: a primary steps down"
	case layout.RESTServer:
		return "balancers refuse this Patroni's answer: no session is sent to its PostgreSQL"
	case layout.RESTClient:
		return "Patroni on this host cannot ask the others, nor can patronictl"
	}
	return "applications and replicas that verify certificates, as they should, cannot connect " +
		"to this PostgreSQL"
}

// certificateSymptoms is what follows from a certificate, or a key, that cannot be used.
func certificateSymptoms(h *Host, file layout.Certificate) []symptom {
	list := []symptom{{"file-differs", h.Name, file.File}, {"file-differs", h.Name, file.Key},
		{"configuration-not-loaded", h.Name, ""}}
	switch file.Name {
	case layout.EtcdServer, layout.EtcdPeer, layout.EtcdGateway:
		list = append(list, etcdSymptoms(h.Name)...)
	case layout.EtcdClient, layout.RESTServer, layout.RESTClient:
		list = append(list, databaseSymptoms(h.Name)...)
	default:
		// Replicas of this host, wherever they are, and its own start.
		list = append(list, symptom{"replica-not-streaming", "", ""},
			symptom{"replication-login-fails", "", ""})
		list = append(list, databaseSymptoms(h.Name)...)
	}
	return list
}

// authorities reports hosts that trust another authority than the operator's.
func authorities(f Facts) []Finding {
	var list []Finding
	for _, ch := range f.Drift {
		if ch.Kind != "file" || !strings.HasSuffix(ch.Name, "ca.crt") {
			continue
		}
		found := Finding{ID: "authority-differs", Host: ch.Host, Subject: ch.Name, Severity: Error,
			Title:       ch.Name + " is not the cluster's authority",
			Consequence: "the host refuses the certificates of all others once it reconnects",
			Evidence:    []string{fmt.Sprintf("apply would have it %s", ch.Action)},
			Remedy:      apply()}
		if h := f.host(ch.Host); h != nil {
			for _, u := range f.units(h) {
				found.explains = append(found.explains, unitSymptoms(ch.Host, u)...)
			}
			found.explains = append(found.explains, symptom{"backend-down", "", ""},
				symptom{"configuration-not-loaded", ch.Host, ""})
		}
		list = append(list, found)
	}
	return list
}

// authoritiesEnding reports authorities that end soon, or one above them does.
func authoritiesEnding(f Facts) []Finding {
	var list []Finding
	for _, name := range slices.Sorted(maps.Keys(f.Authorities.Chains)) {
		first, err := pki.FirstEnd(f.Authorities.Chains[name])
		if err != nil || !first.EndsSoon(f.Time) {
			continue
		}
		found := Finding{ID: "authority-ending", Subject: name, Severity: Warning,
			Title: fmt.Sprintf("the authority of %s ends in %d days", name,
				max(0, first.DaysLeft(f.Time))),
			Consequence: "every certificate that it issues ends with it, and nobody connects any more",
			Evidence: []string{fmt.Sprintf("%s ends on %s", first.Subject,
				first.NotAfter.Format(time.DateOnly))},
			Advice: errs.Text("%s replaces it", errs.Verb("certificates", "rotate-ca", name))}
		if all, _ := pki.InspectAll(f.Authorities.Chains[name]); len(all) > 1 {
			found.Advice = errs.Text("if your company signs it, %s asks for the next one and %s takes "+
				"it in; then %s replaces it", errs.Verb("certificates", "request", name),
				errs.Verb("certificates", "import", name, "FILE"),
				errs.Verb("certificates", "rotate-ca", name))
		}
		list = append(list, found)
	}
	return list
}

// keys looks at who may read private keys: others must not, their own program must.
func keys(f Facts) []Finding {
	var list []Finding
	for _, h := range f.members() {
		for _, c := range layout.Certificates() {
			file, ok := h.Files[c.Key]
			if !ok || c.Component == "backup" || c.Component == "pooler" {
				continue // the certificate has no key then, which is reported already
			}
			owner, mode := c.Owner+":"+c.Group, strconv.FormatUint(uint64(c.KeyMode), 8)
			seen := fmt.Sprintf("%s: mode %s, owner %s:%s; right is %s, %s", c.Key, file.Mode,
				file.Owner,
				file.Group, mode, owner)
			found := Finding{Host: h.Name, Subject: c.Label(), Severity: Error,
				Evidence: []string{seen},
				explains: certificateSymptoms(h, c), Remedy: apply()}
			switch {
			case wider(file.Mode, mode):
				found.ID, found.Title = c.Authority+"-key-exposed",
					fmt.Sprintf("the private key of the %s certificate is open to others",
						c.Label())
				found.Consequence = "whoever has a login on the host can pretend to be it; " +
					"PostgreSQL refuses to start with such a key"
			case file.Owner+":"+file.Group != owner || file.Mode != mode:
				found.ID, found.Title = c.Authority+"-key-unreadable",
					fmt.Sprintf("the private key of the %s certificate has a wrong owner or mode",
						c.Label())
				found.Consequence = "its program cannot read it when it starts or reconnects"
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
