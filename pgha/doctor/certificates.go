package doctor

// certificateFile is one certificate of a database host.
type certificateFile struct {
	name, cert, key string
	// component is who owns it, the first word of finding IDs; owner and mode are what its key has to have.
	component, owner, mode string
	// server: clients check the names in it.
	server bool
}

// certificateFiles lists the certificates of a database host.
func certificateFiles() []certificateFile {
	file := func(name, component, folder, base, owner, mode string, server bool) certificateFile {
		return certificateFile{name, folder + base + ".crt", folder + base + ".key", component, owner, mode, server}
	}
	return []certificateFile{
		file("etcd server", "etcd", etcdCerts, "server", "root:etcd", "640", true),
		file("etcd peer", "etcd", etcdCerts, "peer", "root:etcd", "640", true),
		file("etcd gateway", "etcd", etcdCerts, "gateway", "root:etcd", "640", false),
		file("etcd client", "etcd", patroniCerts, "etcd-client", "postgres:postgres", "600", false),
		file("rest server", "patroni", patroniCerts, "rest-server", "postgres:postgres", "600", true),
		file("rest client", "patroni", patroniCerts, "rest-client", "postgres:postgres", "600", false),
		file("postgres", "postgres", patroniCerts, "postgres-server", "postgres:postgres", "600", true),
	}
}
