package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
)

// etcdctl is how the remedies speak to a host's own etcd.
func etcdctl(f Facts, words string) string {
	return fmt.Sprintf(
		"etcdctl --endpoints https://127.0.0.1:%d --cacert %sca.crt --cert %sgateway.crt --key "+
			"%sgateway.key %s",
		f.Spec.Etcd.ClientPort, layout.EtcdCerts+"/", layout.EtcdCerts+"/",
		layout.EtcdCerts+"/", words)
}

// etcds returns the hosts whose etcd answers.
func (f Facts) etcds() []*Host {
	return slices.DeleteFunc(f.voters(), func(h *Host) bool {
		return h.Etcd == nil || h.Etcd.Error != ""
	})
}

// etcdForgot is an etcd that was formed again, or restored, under a running Patroni that knew the
// former one and refuses it for ever.
func etcdForgot(f Facts) []Finding {
	found := Finding{ID: "etcd-forgot-cluster", Severity: Error,
		Title: "etcd lost its data, or was restored, and Patroni refuses it",
		Consequence: "nobody is elected any more; the primary lives on failsafe_mode alone, or " +
			"has stepped down without it",
		Remedy: apply(),
		Advice: errs.Text(
			"restart no Patroni by hand: the first one leads, even a replica that lacks rows. " +
				"apply begins with the primary's, and PostgreSQL goes on"),
		explains: []symptom{{"no-primary", "", ""}, {"backend-down", "", ""},
			{"etcd-leader-on-primary", "", ""}}}
	for _, h := range f.databases() {
		if r, ok := refusal(h.Journals[layout.PatroniUnit]); ok {
			found.Evidence = append(found.Evidence,
				fmt.Sprintf("journal of %s on %s: %s", layout.PatroniUnit, h.Name, r))
			found.explains = append(found.explains, symptom{"patroni-cut-from-etcd", h.Name, ""},
				symptom{"replica-not-streaming", h.Name, ""},
				symptom{"patroni-not-answering", h.Name, ""})
		}
	}
	if len(found.Evidence) == 0 {
		return nil
	}
	return []Finding{found}
}

// refusal is the last that a Patroni's journal says of an etcd that it refuses, unless it has gone
// on since.
func refusal(lines []string) (patroni.Refusal, bool) {
	for _, l := range slices.Backward(lines) {
		if r, ok := patroni.ParseRefusal(l); ok {
			return r, true
		}
		if strings.Contains(l, "INFO: no action.") || strings.Contains(l, "Lock owner:") ||
			strings.Contains(l, "systemd[1]: Start") {
			break
		}
	}
	return patroni.Refusal{}, false
}

func etcdDataLost(f Facts) []Finding {
	var list []Finding
	for _, h := range f.voters() {
		if h.Data.EtcdData || h.active(layout.EtcdUnit) && h.Etcd.Error == "" ||
			h.Units[layout.EtcdUnit].Load == "masked" {
			continue
		}
		list = append(list, Finding{ID: "etcd-data-lost", Host: h.Name, Severity: Error,
			Title: "the data of this etcd member is gone",
			Consequence: "it must not vote again as if nothing had happened, so its unit does " +
				"not start it: one vote less until it has joined again",
			Evidence: append([]string{f.Spec.Etcd.DataDir + "/member/wal holds no log"},
				h.journal(layout.EtcdUnit, 2)...), Remedy: apply(),
			explains: append(etcdSymptoms(h.Name), symptom{"unit-stopped", h.Name, layout.EtcdUnit},
				symptom{"etcd-config-differs", h.Name, ""})})
	}
	return list
}

// etcdMembership compares the members that etcd knows with those of the specification.
func etcdMembership(f Facts) []Finding {
	var list []Finding
	clusters := map[string][]string{}
	for _, h := range f.etcds() {
		clusters[h.Etcd.ClusterID] = append(clusters[h.Etcd.ClusterID], h.Name)
	}
	list = append(list, foreignClusters(f, clusters)...)
	known := f.etcds()
	if len(known) == 0 || len(clusters) > 1 {
		return list
	}
	names := map[string]bool{}
	for _, name := range known[0].Etcd.Members {
		names[name] = true
	}
	for _, d := range f.Spec.EtcdHosts() {
		if !names[d.Member] && len(names) > 0 {
			list = append(list, Finding{ID: "etcd-member-missing", Subject: d.Name, Severity: Error,
				Title:       d.Member + " is no member of etcd",
				Consequence: "one vote less than the specification promises",
				Evidence: []string{fmt.Sprintf("%s lists %d members", known[0].Name,
					len(names))}, Remedy: apply()})
		}
		delete(names, d.Member)
	}
	for name := range names {
		if name != "" { // one that has been added and has not started yet has no name
			list = append(list, Finding{ID: "etcd-member-unknown", Subject: name, Severity: Warning,
				Title: "etcd has a member that the specification does not name: " + name,
				Consequence: "it counts for the quorum: if it is gone for good, one loss less " +
					"is borne",
				Evidence: []string{"member list of " + known[0].Name},
				Advice: errs.Text(
					"remove it if it is gone for good: etcdctl member list, then etcdctl member " +
						"remove with its id")})
		}
	}
	slices.SortFunc(list, func(a, b Finding) int { return strings.Compare(a.Key(), b.Key()) })
	return list
}

// foreignClusters reports members whose cluster is not that of most of them. Where no cluster has
// most of them nobody knows which is the right one: then nothing may be moved away.
func foreignClusters(f Facts, clusters map[string][]string) []Finding {
	var list []Finding
	decided := majority(clusters, len(f.etcds()))
	for id, hosts := range clusters {
		if len(clusters) < 2 || len(hosts) > len(f.etcds())/2 {
			continue
		}
		for _, host := range hosts {
			found := Finding{ID: "etcd-wrong-cluster", Host: host, Severity: Error,
				Title: "this etcd member belongs to another cluster",
				Consequence: "it counts for nothing in the cluster, and Patroni may meet another " +
					"truth there",
				Evidence: []string{"its cluster id is " + id},
				explains: etcdSymptoms(host)}
			if decided {
				found.Remedy = append(on(host, "systemctl stop "+layout.EtcdUnit,
					fmt.Sprintf("mv %s/member %s/member.wrong", f.Spec.Etcd.DataDir,
						f.Spec.Etcd.DataDir)),
					apply()...)
			} else {
				found.Advice = errs.Text("no two members agree: find out which of them " +
					"Patroni used (its leader key is there) before you move anything away")
			}
			list = append(list, found)
		}
	}
	return list
}

// majority tells whether one of the answers was given by more than half of so many hosts.
func majority(answers map[string][]string, hosts int) bool {
	for _, by := range answers {
		if len(by) > hosts/2 {
			return true
		}
	}
	return false
}

// etcdAlarms are what etcd itself raises: then it takes no more writes.
func etcdAlarms(f Facts) []Finding {
	for _, h := range f.etcds() {
		switch {
		case slices.Contains(h.Etcd.Alarms, "NOSPACE"):
			after := []symptom{{"no-primary", "", ""}, {"etcd-database-large", "", ""}}
			return []Finding{{ID: "etcd-no-space", Severity: Error,
				Title: "etcd's database has reached its quota",
				Consequence: "etcd takes no more writes. The primary stays and nothing is " +
					"logged, but when it fails nobody can be elected, and no setting can be changed",
				Evidence: []string{fmt.Sprintf("alarm NOSPACE; %s: %s of %s, %s of them in use",
					h.Name,
					bytesize.Text(h.Etcd.DBSize), bytesize.Text(h.Etcd.Quota),
					bytesize.Text(h.Etcd.DBInUse))},
				Remedy: makeRoom(f, h), explains: after,
				Advice: errs.Text(
					"what has filled it? Patroni alone needs less than 1 MiB. A member that is " +
						"away now raises the alarm again when it is back: run this once more then")}}
		case slices.Contains(h.Etcd.Alarms, "CORRUPT"):
			return []Finding{{ID: "etcd-corrupt", Severity: Error,
				Title:       "a member of etcd has other data than the rest",
				Consequence: "etcd takes no more writes until it is gone",
				Evidence:    []string{"alarm CORRUPT, told by " + h.Name},
				Advice: errs.Text("find the member whose hash differs (etcdctl endpoint hashkv), "+
					"stop it, remove its data, run %s, then etcdctl alarm disarm",
					errs.Verb(Apply))}}
		}
	}
	return nil
}

// makeRoom drops old revisions, gives the space back on every member, and takes the alarm off.
func makeRoom(f Facts, h *Host) []Step {
	steps := on(h.Name, etcdctl(f, fmt.Sprintf("compact %d || true", h.Etcd.Revision)))
	for _, d := range f.etcds() {
		steps = append(steps, on(d.Name, etcdctl(f, "--command-timeout 60s defrag"))...)
	}
	return append(steps, on(h.Name, etcdctl(f, "alarm disarm"))...)
}

func etcdNotAnswering(f Facts) []Finding {
	var list []Finding
	for _, h := range f.voters() {
		if h.Etcd.Error == "" {
			continue
		}
		list = append(list, Finding{ID: "etcd-not-answering", Host: h.Name, Severity: Error,
			Title:       "etcd does not answer",
			Consequence: unitConsequence(layout.EtcdUnit),
			Evidence:    append([]string{h.Etcd.Error}, h.journal(layout.EtcdUnit, 3)...),
			Remedy:      on(h.Name, "systemctl restart "+layout.EtcdUnit),
			Advice:      errs.Text("the journal says more: journalctl -u etcd -n 50"),
			explains: []symptom{{"etcd-quorum-lost", "", ""},
				{"patroni-cut-from-etcd", h.Name, ""}}})
	}
	return list
}

func etcdQuorum(f Facts) []Finding {
	with := 0
	for _, h := range f.etcds() {
		if h.Etcd.Leader != "" && h.Etcd.Leader != "0" {
			with++
		}
	}
	total := len(f.Spec.EtcdHosts())
	if with > total/2 || len(f.voters()) == 0 {
		return nil
	}
	var after []symptom
	for _, h := range f.Hosts {
		after = append(after, symptom{"patroni-cut-from-etcd", h.Name, ""},
			symptom{"etcd-not-answering", h.Name, ""},
			symptom{"no-primary", "", ""}, symptom{"backend-down", "", ""})
	}
	return []Finding{{ID: "etcd-quorum-lost", Severity: Error, Title: "etcd has no quorum",
		Consequence: "nobody can be elected, and without failsafe_mode the primary takes no writes",
		Evidence: []string{fmt.Sprintf("%d of %d members know a leader; %d are needed", with,
			total, total/2+1)},
		Advice: errs.Text("bring members back: see their own findings, and whether TCP 2380 is "+
			"open between the hosts; if most are lost for good, with their disks: %s",
			errs.Verb("recover", "--from", "MEMBER")),
		explains: after}}
}

// Limits of etcd.
const (
	// slowFsync is a quarter of the shortest election time-out: beyond it a member can seem lost
	// because of its disk.
	slowFsync = 0.25
	// largeShare of the quota is when the database is reported.
	largeShare = 0.8
)

func etcdCondition(f Facts) []Finding {
	var list []Finding
	primary := f.primary()
	for _, h := range f.etcds() {
		e := h.Etcd
		if e.Quota > 0 && float64(e.DBSize) > largeShare*float64(e.Quota) {
			list = append(list, Finding{ID: "etcd-database-large", Host: h.Name, Severity: Warning,
				Title: "etcd's database is close to its quota",
				Consequence: "when it is reached etcd takes no more writes: nobody can be " +
					"elected when the primary fails",
				Evidence: []string{fmt.Sprintf("%s of %s, %s of them in use",
					bytesize.Text(e.DBSize),
					bytesize.Text(e.Quota), bytesize.Text(e.DBInUse))},
				Remedy: makeRoom(f, h)})
		}
		if e.FsyncSeconds > slowFsync {
			list = append(list, Finding{ID: "etcd-slow-disk", Host: h.Name, Severity: Warning,
				Title: "the disk under etcd is slow",
				Consequence: "etcd seems dead while it waits for the disk: leaders are changed " +
					"without need",
				Evidence: []string{fmt.Sprintf(
					"the slowest hundredth of the syncs takes up to %.0f ms; 10 ms are recommended",
					e.FsyncSeconds*1000)},
				Advice: errs.Text("give etcd a disk of its own, or a larger ttl and " +
					"election_timeout")})
		}
		if primary == h && e.Leader == e.ID && len(f.etcds()) > 1 {
			list = append(list, etcdLeaderOnPrimary(f, h))
		}
	}
	for _, h := range f.voters() {
		if h.Data.InitialState == "new" && h.Data.EtcdData {
			list = append(list, Finding{ID: "etcd-initial-state-new", Host: h.Name,
				Severity: Warning,
				Title:    "etcd would form a new cluster if it lost its data",
				Consequence: "a member that starts without data founds a cluster of its own " +
					"instead of joining",
				Evidence: []string{`/etc/etcd/etcd.env: ETCD_INITIAL_CLUSTER_STATE="new"`},
				Remedy:   apply(),
				explains: []symptom{{"etcd-config-differs", h.Name, ""},
					{"configuration-not-loaded", h.Name, layout.EtcdUnit}}})
		}
	}
	return list
}

func etcdLeaderOnPrimary(f Facts, h *Host) Finding {
	found := Finding{ID: "etcd-leader-on-primary", Host: h.Name, Severity: Warning,
		Title: "etcd's leader is on the primary's host",
		Consequence: "if the host is lost, etcd elects before Patroni can: some five seconds " +
			"more without writes",
		Evidence: []string{h.Member + " leads etcd and PostgreSQL"}}
	for id, name := range h.Etcd.Members {
		if other := f.host(name); other != nil && other != h && other.Etcd != nil &&
			other.Etcd.Error == "" {
			if len(found.Remedy) == 0 || other.Name < found.Evidence[len(found.Evidence)-1] {
				found.Remedy = on(h.Name, etcdctl(f, "move-leader "+hexID(id)))
			}
		}
	}
	return found
}

// hexID writes an id as etcdctl wants it.
func hexID(decimal string) string {
	var id uint64
	if _, err := fmt.Sscan(decimal, &id); err != nil {
		return decimal
	}
	return fmt.Sprintf("%x", id)
}
