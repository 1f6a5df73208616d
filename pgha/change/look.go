package change

import (
	_ "embed"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/spec"
)

//go:embed look.sh
var lookScript string

//go:embed neighbours.pl
var neighboursScript string

// Question is the command that asks a host for its part of Running; Read reads its answer. It
// changes nothing, and takes as long as the database, which is 2 s at most.
func Question(sp *spec.Spec, h spec.Host) []string {
	dir, libraries := "", ""
	var plugins []string
	if h.Has(spec.RoleDatabase) {
		dir = sp.PostgreSQL.DataDir
		libraries = fmt.Sprintf("/usr/lib/postgresql/%d/lib", sp.PostgreSQL.Version)
		for _, s := range sp.LogicalSlots() {
			plugins = append(plugins, s.Plugin)
		}
	}
	argv := []string{"sh", "-c", lookScript, "look", dir, pgsession.AskScript(), sessionOptions(),
		libraries, strings.Join(plugins, " ")}
	if h.Has(spec.RoleDatabase) {
		argv = append(argv, databaseQuestions(sp.PostgreSQL)...)
	}
	return argv
}

// NeighboursQuestion is the command that asks the network who has the virtual IP, where there is
// one of IPv4. Its answer belongs behind that to Question. It changes nothing, and takes the 0.15 s
// that neighbours have to answer.
func NeighboursQuestion(sp *spec.Spec) []string {
	if sp.VIP != nil {
		if a, err := netip.ParseAddr(sp.VIP.Address); err == nil && a.Is4() {
			return []string{"perl", "-e", neighboursScript, a.String()}
		}
	}
	return []string{"true"}
}

// Read reads the answer to Question, with that to NeighboursQuestion behind it. A part that makes
// no sense counts as not there.
func Read(answer string) Host {
	parts := map[string]string{}
	name := ""
	for line := range strings.Lines(answer) {
		if n, ok := strings.CutPrefix(line, "== "); ok {
			name = strings.TrimSpace(n)
			continue
		}
		parts[name] += line
	}
	h := Host{
		Etcd: readEtcd(parts["etcd"]), Server: readServer(parts["server"]),
		Patroni: readPatroni(parts["patroni"]),
		Data:    readData(parts["data"]), Databases: readDatabases(parts["databases"]),
		Keepalived: readKeepalived(parts["keepalived"]),
		Refused:    readRefused(parts["databases"]),
		Plugins:    readPlugins(parts["plugins"]),
		MACs:       strings.Fields(strings.ToLower(parts["macs"])),
		Heard:      strings.Fields(strings.ToLower(parts["heard"])),
	}
	if strings.Contains(parts["databases"], "\nsessions ") {
		use := ReadInUse(parts["databases"])
		h.InUse = &use
	}
	return h
}

// readPlugins reads a name a line, the first "installed" for PostgreSQL itself.
func readPlugins(text string) []string {
	list, installed := strings.CutPrefix(text, "installed\n")
	if !installed {
		return nil
	}
	return append([]string{}, strings.Fields(list)...)
}

// readEtcd reads variables of etcd's environment, of a process or of a file.
func readEtcd(text string) *Etcd {
	text = strings.ReplaceAll(text, "\x00", "\n")
	vars := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			vars[name] = value
		}
	}
	if vars["ETCD_DATA_DIR"] == "" {
		return nil
	}
	e := &Etcd{Name: vars["ETCD_NAME"], DataDir: vars["ETCD_DATA_DIR"], Peers: map[string]string{},
		ClientPort: portNumber(vars["ETCD_LISTEN_CLIENT_URLS"]),
		PeerPort:   portNumber(vars["ETCD_LISTEN_PEER_URLS"])}
	for peer := range strings.SplitSeq(vars["ETCD_INITIAL_CLUSTER"], ",") {
		if name, url, ok := strings.Cut(peer, "="); ok {
			e.Peers[name] = url
		}
	}
	return e
}

// readServer reads the command line of a postmaster that Patroni has started, an argument a line.
func readServer(text string) *Server {
	if text == "" {
		return nil
	}
	s := &Server{}
	before := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, "=")
		switch {
		case before == "-D":
			s.DataDir = line
		case name == "--port":
			s.Port = portNumber(value)
		case name == "--cluster_name":
			s.Scope = value
		}
		before = line
	}
	return s
}

// readPatroni reads config.yml.
func readPatroni(text string) *Patroni {
	type user struct {
		Username string `yaml:"username"`
	}
	var file struct {
		Scope     string `yaml:"scope"`
		Namespace string `yaml:"namespace"`
		Name      string `yaml:"name"`
		RESTAPI   struct {
			Listen string `yaml:"listen"`
		} `yaml:"restapi"`
		PostgreSQL struct {
			Listen         string `yaml:"listen"`
			DataDir        string `yaml:"data_dir"`
			Authentication struct {
				Superuser   user `yaml:"superuser"`
				Replication user `yaml:"replication"`
				Rewind      user `yaml:"rewind"`
			} `yaml:"authentication"`
		} `yaml:"postgresql"`
		Bootstrap struct {
			DCS struct {
				PostgreSQL struct {
					Parameters map[string]any `yaml:"parameters"`
				} `yaml:"postgresql"`
				Slots map[string]any `yaml:"slots"`
			} `yaml:"dcs"`
		} `yaml:"bootstrap"`
	}
	if yaml.Unmarshal([]byte(text), &file) != nil || file.Scope == "" {
		return nil
	}
	pg, written := file.PostgreSQL, map[string]string{}
	for name, value := range file.Bootstrap.DCS.PostgreSQL.Parameters {
		if value != nil {
			written[strings.ToLower(name)] = fmt.Sprint(value)
		}
	}
	return &Patroni{Scope: file.Scope, Namespace: file.Namespace, Name: file.Name,
		DataDir:  pg.DataDir,
		RESTPort: portNumber(file.RESTAPI.Listen), Port: portNumber(pg.Listen),
		Superuser:   pg.Authentication.Superuser.Username,
		Replication: pg.Authentication.Replication.Username,
		Rewind:      pg.Authentication.Rewind.Username,
		Written:     written,
		Slots:       slices.Sorted(maps.Keys(file.Bootstrap.DCS.Slots))}
}

// readData reads "directory", "version" and two lines of pg_controldata's for each data directory.
func readData(text string) map[string]Data {
	all, dir := map[string]Data{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		d := all[dir]
		if name, ok := strings.CutPrefix(line, "directory "); ok {
			dir, d = name, Data{}
		} else if version, ok := strings.CutPrefix(line, "version "); ok {
			d.Version, _ = strconv.Atoi(version)
		} else if name, value, ok := strings.Cut(line, ":"); ok {
			switch value = strings.TrimSpace(value); name {
			case "Database system identifier":
				d.SystemIdentifier = value
			case "Data page checksum version":
				on := value != "0"
				d.Checksums = &on
			}
		}
		all[dir] = d
	}
	return all
}

// readKeepalived reads the lines of keepalived.conf that say which address is shared with which
// host.
func readKeepalived(text string) *Keepalived {
	k, block := &Keepalived{}, ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "!") || strings.HasPrefix(f[0], "#"):
		case f[len(f)-1] == "{":
			block = f[0]
		case f[0] == "}":
			block = ""
		case f[0] == "virtual_router_id" && len(f) > 1:
			k.RouterID, _ = strconv.Atoi(f[1])
		case f[0] == "unicast_src_ip" && len(f) > 1:
			k.Source = f[1]
		case block == "unicast_peer":
			k.Peers = append(k.Peers, f[0])
		case block == "virtual_ipaddress", block == "virtual_ipaddress_excluded":
			// The former address is the one in the adverts, if there is one.
			k.Address, _, _ = strings.Cut(f[0], "/")
		}
	}
	if k.Address == "" {
		return nil
	}
	return k
}

// portNumber is the number behind the last colon; 0 where there is none.
func portNumber(address string) int {
	n, err := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:])
	if err != nil {
		return 0
	}
	return n
}
