package spec

import (
	"cmp"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

// New returns a spec with every default that stands at the fields, and no hosts. Give it hosts,
// then call Complete.
func New() *Spec {
	return &Spec{
		Version: 1,
		Cluster: "postgresql-cluster",
		SSH: SSH{User: "root", Port: 22, Agent: true, KnownHosts: "~/.ssh/known_hosts",
			HostKeys:       HostKeysStrict,
			ConnectTimeout: 10 * time.Second, MaxSessions: 8},
		PostgreSQL: PostgreSQL{Version: 18, Source: SourcePGDG, Port: 5432,
			DataDir:   "/var/lib/postgresql/data",
			Superuser: "postgres", ReplicationUser: "replicator", RewindUser: "rewind_user",
			Encoding: "UTF8", Locale: "C.UTF-8", DataChecksums: true},
		Etcd: Etcd{Source: SourceRelease, DataDir: "/var/lib/etcd",
			HeartbeatInterval: 100 * time.Millisecond,
			ElectionTimeout:   time.Second, AutoCompaction: time.Hour, ClientPort: 2379,
			PeerPort: 2380},
		Patroni: Patroni{Namespace: "/service/", RESTPort: 8008, Profile: ProfileSafe,
			MaximumLagOnFailover: 1 << 20,
			FailsafeMode:         true, UsePgRewind: true, UseSlots: true,
			SynchronousMode: SynchronousOff,
			Watchdog:        WatchdogAutomatic},
		Balancer: Balancer{WritePort: 5432, ReadPort: 5433, ReadFallbackToPrimary: true,
			StatsPort:      7000,
			MaxConnections: 4000, ClientTimeout: 24 * time.Hour,
			ConnectTimeout: 500 * time.Millisecond,
			CheckInterval:  500 * time.Millisecond},
		Monitoring: Monitoring{HAProxyPort: 8405, EtcdPort: 2381},
		TLS:        TLS{KeyAlgorithm: KeyECDSA, CALifetimeDays: 3650, LeafLifetimeDays: 365},
		Unattended: Unattended{NeedrestartExclude: true},
		SLO: SLO{Failover: 30 * time.Second, Switchover: 5 * time.Second,
			BackupAge: 26 * time.Hour, RestoreProofAge: 744 * time.Hour},
	}
}

// newVIP is a virtual IP with its defaults.
func newVIP() VIP {
	return VIP{RouterID: 51, AdvertInterval: 200 * time.Millisecond}
}

// refuseEmpty refuses what stands in the file, is empty, and would silently be the default.
func (s *Spec) refuseEmpty(d *decoder) {
	for _, f := range []struct {
		field  string
		empty  bool
		remedy string
	}{
		{"state_dir", s.StateDir == "", "write a directory, or delete the line for " + s.Cluster +
			".state"},
		{"etcd.version", s.Etcd.Version == "", "write a version, or delete the line for " +
			etcdrelease.Default},
		{clientNetworks, len(s.PostgreSQL.ClientNetworks) == 0,
			"write the networks that clients come from, or delete the line for 0.0.0.0/0"},
		{"postgresql.repository.components", s.PostgreSQL.Source == SourceMirror &&
			len(s.PostgreSQL.Repository.Components) == 0,
			"write the repository's components, or delete the line for [main]"},
	} {
		if _, given := d.at[f.field]; given && f.empty {
			d.report(f.field, "is empty", f.remedy)
		}
	}
}

// derive fills in the defaults that depend on other fields. A zero that stands in the file is kept,
// for check to refuse.
func (s *Spec) derive(d *decoder) {
	s.refuseEmpty(d)
	s.StateDir = cmp.Or(s.StateDir, s.Cluster+".state")
	if s.Etcd.Source != SourceDistribution {
		s.Etcd.Version = cmp.Or(s.Etcd.Version, etcdrelease.Default)
	}
	if s.PostgreSQL.Source == SourceMirror && len(s.PostgreSQL.Repository.Components) == 0 {
		s.PostgreSQL.Repository.Components = []string{"main"}
	}
	if s.VIP != nil {
		fill(d, "vip.router_id", &s.VIP.RouterID, newVIP().RouterID)
		fill(d, "vip.advert_interval", &s.VIP.AdvertInterval, newVIP().AdvertInterval)
		s.VIP.Address = oneSpelling(s.VIP.Address)
		s.VIP.FormerAddress = oneSpelling(s.VIP.FormerAddress)
	}
	s.deriveHosts(d)
	s.deriveNetworks()
	s.deriveParameters()
	s.deriveContents(d)
	s.deriveSlots(d)
	s.Patroni.derive(d)
	s.deriveBackup(d)
	s.Pooler.derive(d)
}

// fill sets a field that is zero and not in the file.
func fill[T comparable](d *decoder, field string, target *T, value T) {
	if _, given := d.at[field]; !given {
		*target = cmp.Or(*target, value)
	}
}

// The default of who may log in: everybody, by the hosts' families.
const (
	clientNetworks = "postgresql.client_networks"
	everyIPv4      = "0.0.0.0/0"
)

func (s *Spec) deriveHosts(d *decoder) {
	balancers, six := 0, false
	for i := range s.Hosts {
		h := &s.Hosts[i]
		if h.Has(RoleDatabase) || h.Has(RoleEtcd) {
			h.Member = cmp.Or(h.Member, h.Name)
		}
		if h.Has(RoleBalancer) {
			fill(d, element("hosts", i)+".priority", &h.Priority, 100-10*balancers)
			balancers++
		}
		h.Address = oneSpelling(h.Address)
		six = six || strings.Contains(h.Address, ":")
	}
	pg := &s.PostgreSQL
	if len(pg.ClientNetworks) == 0 {
		pg.ClientNetworks = []string{everyIPv4}
		if six {
			pg.ClientNetworks = append(pg.ClientNetworks, "::/0")
		}
	}
	if pg.SuperuserNetworks == nil {
		pg.SuperuserNetworks = []string{}
		if balancers == 0 {
			pg.SuperuserNetworks = slices.Clone(pg.ClientNetworks)
		}
	}
}

// deriveNetworks gives every network of clients one spelling.
func (s *Spec) deriveNetworks() {
	lists := []*[]string{&s.PostgreSQL.ClientNetworks, &s.PostgreSQL.SuperuserNetworks,
		&s.Monitoring.Networks}
	for i := range s.Access {
		lists = append(lists, &s.Access[i].Networks)
	}
	for _, list := range lists {
		*list = slices.Clone(*list)
		for i, network := range *list {
			(*list)[i] = oneSpelling(network)
		}
	}
}

// oneSpelling writes an address or a network the way hosts print it (RFC 5952), so that fd00::1 and
// FD00:0::1 are one. What is neither stays as it is, for check to refuse.
func oneSpelling(address string) string {
	if p, err := netip.ParsePrefix(address); err == nil && !p.Addr().Is4In6() {
		return p.String()
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4In6() {
		return address
	}
	return a.String()
}

// deriveParameters keeps the two parameters that have a default here unless they are named, in
// whatever case.
func (s *Spec) deriveParameters() {
	if s.PostgreSQL.Parameters == nil {
		s.PostgreSQL.Parameters = map[string]any{}
	}
	for name, value := range map[string]any{"max_connections": 100, "shared_buffers": "256MB"} {
		s.deriveParameter(name, value)
	}
}

// lookup finds a PostgreSQL parameter; their names have no case.
func lookup(parameters map[string]any, name string) (any, bool) {
	for key, value := range parameters {
		if strings.EqualFold(key, name) {
			return value, true
		}
	}
	return nil, false
}

func (p *Patroni) derive(d *decoder) {
	ttl, loop, retry, start := 30*time.Second, 10*time.Second, 10*time.Second, 300*time.Second
	if p.Profile == ProfileFast {
		ttl, loop, retry, start = 20*time.Second, 10*time.Second, 5*time.Second, 10*time.Second
	}
	fill(d, "patroni.ttl", &p.TTL, ttl)
	fill(d, "patroni.loop_wait", &p.LoopWait, loop)
	fill(d, "patroni.retry_timeout", &p.RetryTimeout, retry)
	if p.PrimaryStartTimeout == nil {
		p.PrimaryStartTimeout = &start
	}
}

// absolute makes every path on this machine absolute.
func (s *Spec) absolute(d *decoder, folder string) {
	resolve := func(field string, path *string) {
		if *path == "" {
			return
		}
		if rest, ok := strings.CutPrefix(*path+"/", "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				d.report(field, "~ has no meaning here: "+err.Error(), "write the path in full")
				return
			}
			*path = filepath.Join(home, rest)
		}
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
		if full, err := filepath.Abs(*path); err == nil {
			*path = full
		}
	}
	resolve("state_dir", &s.StateDir)
	resolve("ssh.known_hosts", &s.SSH.KnownHosts)
	for i := range s.SSH.IdentityFiles {
		resolve(element("ssh.identity_files", i), &s.SSH.IdentityFiles[i])
	}
	resolve("ssh.passphrase_file", &s.SSH.PassphraseFile)
	resolve("ssh.sudo_password_file", &s.SSH.SudoPasswordFile)
	program := func(field string, argv []string) {
		// Without a slash it is a program's name, which the search path finds.
		if len(argv) > 0 && strings.Contains(argv[0], "/") {
			resolve(field, &argv[0])
		}
	}
	program("ssh.passphrase_command", s.SSH.PassphraseCommand)
	program("ssh.sudo_password_command", s.SSH.SudoPasswordCommand)
	resolve("postgresql.repository.key_file", &s.PostgreSQL.Repository.KeyFile)
	resolve("etcd.archive", &s.Etcd.Archive)
	resolve("secrets.superuser_password_file", &s.Secrets.SuperuserPasswordFile)
	resolve("secrets.replication_password_file", &s.Secrets.ReplicationPasswordFile)
	resolve("secrets.rewind_password_file", &s.Secrets.RewindPasswordFile)
	for _, secret := range s.Secrets.all() {
		program("secrets."+secret.role+"_password_command", secret.command)
	}
	for i := range s.PGRoles {
		field := element("roles", i)
		resolve(field+".password_file", &s.PGRoles[i].PasswordFile)
		program(field+".password_command", s.PGRoles[i].PasswordCommand)
	}
	if s.Backup != nil {
		for field, r := range s.Backup.repositories() {
			resolve(field+".ca_file", &r.CAFile)
			resolve(field+".key_file", &r.KeyFile)
			program(field+".key_command", r.KeyCommand)
		}
		if from := s.Backup.BootstrapFrom; from != nil {
			resolve(bootstrapFrom+".encryption_key_file", &from.KeyFile)
		}
	}
	resolve("secrets.age.identity_file", &s.Secrets.Age.IdentityFile)
	program("secrets.age.identity_command", s.Secrets.Age.IdentityCommand)
}

// finish turns what was read into a whole and checked spec.
func finish(s *Spec, d *decoder, folder string) {
	s.derive(d)
	s.absolute(d, folder)
	check(s, d)
}
