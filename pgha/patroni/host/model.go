package host

// file is config.yml: its fields' order is the order of the file.
type file struct {
	Scope      string            `yaml:"scope"`
	Namespace  string            `yaml:"namespace"`
	Name       string            `yaml:"name"`
	Log        logSection        `yaml:"log"`
	Etcd3      etcdSection       `yaml:"etcd3"`
	RESTAPI    restSection       `yaml:"restapi"`
	Ctl        ctlSection        `yaml:"ctl"`
	Bootstrap  *bootstrapSection `yaml:"bootstrap,omitempty"`
	PostgreSQL postgresSection   `yaml:"postgresql"`
	Watchdog   watchdogSection   `yaml:"watchdog"`
	Tags       map[string]any    `yaml:"tags"`
}

type logSection struct {
	Level string `yaml:"level"`
}

type etcdSection struct {
	Hosts    []string `yaml:"hosts"`
	Protocol string   `yaml:"protocol"`
	CACert   string   `yaml:"cacert"`
	Cert     string   `yaml:"cert"`
	Key      string   `yaml:"key"`
}

type restSection struct {
	Listen         string `yaml:"listen"`
	ConnectAddress string `yaml:"connect_address"`
	CertFile       string `yaml:"certfile"`
	KeyFile        string `yaml:"keyfile"`
	CAFile         string `yaml:"cafile"`
	// VerifyClient "optional" asks for a client certificate on every unsafe call, and lets health
	// checks do without.
	VerifyClient string `yaml:"verify_client"`
	ServerTokens string `yaml:"server_tokens"`
}

type ctlSection struct {
	CACert   string `yaml:"cacert"`
	CertFile string `yaml:"certfile"`
	KeyFile  string `yaml:"keyfile"`
}

type bootstrapSection struct {
	DCS    map[string]any `yaml:"dcs"`
	InitDB []any          `yaml:"initdb"`
	// PostBootstrap is a command that Patroni appends its own connection string to.
	PostBootstrap string `yaml:"post_bootstrap"`
}

type postgresSection struct {
	Listen         string              `yaml:"listen"`
	ConnectAddress string              `yaml:"connect_address"`
	DataDir        string              `yaml:"data_dir"`
	BinDir         string              `yaml:"bin_dir"`
	PgPass         string              `yaml:"pgpass"`
	UseUnixSocket  bool                `yaml:"use_unix_socket"`
	Authentication authentication      `yaml:"authentication"`
	BaseBackup     []map[string]string `yaml:"basebackup"`
	Parameters     map[string]any      `yaml:"parameters"`
	PgHBA          []string            `yaml:"pg_hba"`
	PgIdent        []string            `yaml:"pg_ident,omitempty"`
	Callbacks      *callbackSection    `yaml:"callbacks,omitempty"`
}

// callbackSection holds commands that Patroni runs after something has happened.
type callbackSection struct {
	OnStart      string `yaml:"on_start"`
	OnRoleChange string `yaml:"on_role_change"`
}

type authentication struct {
	Superuser   login `yaml:"superuser"`
	Replication login `yaml:"replication"`
	Rewind      login `yaml:"rewind"`
}

// login has no password: see passFile.
type login struct {
	Username    string `yaml:"username"`
	SSLMode     string `yaml:"sslmode"`
	SSLRootCert string `yaml:"sslrootcert"`
}

type watchdogSection struct {
	Mode         WatchdogMode `yaml:"mode"`
	Device       string       `yaml:"device,omitempty"`
	SafetyMargin int          `yaml:"safety_margin,omitempty"`
}
