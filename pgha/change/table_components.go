package change

func postgresqlFields() []Field {
	return []Field{
		{
			Name: "postgresql.version", Effect: Refused,
			Why: "a server reads data of its own major version only",
			Way: "write version: %s again; another major version takes a new cluster, and its " +
				"data moved there",
		},
		{Name: "postgresql.source", Effect: Reload,
			What: "The repository's file is written; packages that are installed stay as they are."},
		{Name: "postgresql.repository.url", Effect: Reload,
			What: "The repository's file is written; packages that are installed stay as they are."},
		{Name: "postgresql.repository.key_file", Effect: Reload,
			What: "The repository's key is written."},
		{Name: "postgresql.repository.suite", Effect: Reload,
			What: "The repository's file is written; packages that are installed stay as they are."},
		{Name: "postgresql.repository.components", Effect: Reload,
			What: "The repository's file is written; packages that are installed stay as they are."},
		{
			Name: "postgresql.port", Effect: Refused,
			Why: "a server reads its port when it starts, and replicas, balancers and Patroni " +
				"would look for it on the new one at once",
			Way: "write port: %s again; balancer.write_port and balancer.read_port, which " +
				"clients connect to, can be changed",
		},
		{
			Name: "postgresql.data_dir", Effect: Refused,
			Why: "a member that restarts would find no data there and be copied again, or found " +
				"a cluster without data",
			Way: "write data_dir: %s again; to have it on another disk, mount that there while " +
				"the member is stopped",
		},
		{
			Name: "postgresql.superuser", Effect: Refused,
			Why: "the role is made with a new cluster, and Patroni would log in as one that does " +
				"not exist",
			Way: "write superuser: %s again; make further superusers with CREATE ROLE",
		},
		{
			Name: "postgresql.replication_user", Effect: Refused,
			Why: "the role is made with a new cluster, and replicas would log in as one that " +
				"does not exist",
			Way: "write replication_user: %s again",
		},
		{
			Name: "postgresql.rewind_user", Effect: Refused,
			Why: "the role is made with a new cluster, and pg_rewind would log in as one that " +
				"does not exist",
			Way: "write rewind_user: %s again",
		},
		{
			Name: "postgresql.encoding", Effect: Refused,
			Why: "it is chosen when the data directory is made",
			Way: "write encoding: %s again; a database of another encoding is made with CREATE " +
				"DATABASE ... ENCODING ... TEMPLATE template0",
		},
		{
			Name: "postgresql.locale", Effect: Refused,
			Why: "it is chosen when the data directory is made",
			Way: "write locale: %s again; a database of another locale is made with CREATE " +
				"DATABASE ... LOCALE ... TEMPLATE template0",
		},
		{
			Name: "postgresql.data_checksums", Effect: Refused,
			Why: "it is chosen when the data directory is made",
			Way: "write data_checksums: %s again",
		},
		{Name: "postgresql.parameters", Effect: Reload,
			What: "Into Patroni's dynamic configuration, which every member loads. One that " +
				"PostgreSQL reads at start waits for `restart --pending`, and `plan` says so; " +
				"refused where the servers have more in use than it allows (logical slots below " +
				"`wal_level: logical`, slots, prepared transactions, walsenders, sessions)."},
		{Name: "postgresql.pg_hba", Effect: Reload,
			What: "Patroni is reloaded on one member after the other; sessions go on."},
		{Name: "postgresql.client_networks", Effect: Reload,
			What: "Patroni is reloaded on one member after the other; sessions go on."},
		{Name: "postgresql.superuser_networks", Effect: Reload,
			What: "Patroni is reloaded on one member after the other; sessions go on."},
		{Name: "postgresql.slots[].name", Effect: Ordered,
			What: "A new slot goes into Patroni's dynamic configuration. `wal_level` waits for " +
				"`restart --pending`; then Patroni makes the slot on the leader and restarts " +
				"PostgreSQL on every replica once, on all at the same time, to copy it. One that is " +
				"named no more is dropped on all members; refused while somebody reads it, or where " +
				"another slot has the name."},
		{
			Name: "postgresql.slots[].type", Effect: Refused,
			Why: "Patroni would drop the slot that is there, and make another that begins with what " +
				"is written from then on",
			Way: "write type: %s again, or give the new slot another name",
		},
		{
			Name: "postgresql.slots[].database", Effect: Refused,
			Why: "a slot is of one database: Patroni would drop it, and make another that begins " +
				"with what is written from then on",
			Way: "write database: %s again, or give the new slot another name",
		},
		{
			Name: "postgresql.slots[].plugin", Effect: Refused,
			Why: "a slot is decoded by one plugin: Patroni would drop it, and make another that " +
				"begins with what is written from then on",
			Way: "write plugin: %s again, or give the new slot another name",
		},
	}
}

func etcdFields() []Field {
	return []Field{
		{
			Name: "etcd.version", Effect: RolledRestart,
			What: "Up, within a minor release or to the next one: installed, then restarted on " +
				"one member after the other, the leader last. Down, or over a minor release, is " +
				"refused.",
			Why: "etcd goes up one minor release at a time and never back",
			Way: "write version: %s",
		},
		{Name: "etcd.source", Effect: RolledRestart,
			What: "etcd is restarted on one member after the other where its program or unit " +
				"changes."},
		{Name: "etcd.archive", Effect: Operator, What: "Read when a version is installed."},
		{Name: "etcd.sha256", Effect: Operator, What: "Compared when a version is installed."},
		{Name: "etcd.url", Effect: Operator, What: "Used when a version is installed."},
		{
			Name: "etcd.data_dir", Effect: Refused,
			Why: "etcd would find no data there, and a member without data has no memory of " +
				"its votes",
			Way: "write data_dir: %s again",
		},
		{Name: "etcd.heartbeat_interval", Effect: RolledRestart,
			What: "etcd is restarted on one member after the other, the leader last."},
		{Name: "etcd.election_timeout", Effect: RolledRestart,
			What: "etcd is restarted on one member after the other, the leader last."},
		{Name: "etcd.auto_compaction", Effect: RolledRestart,
			What: "etcd is restarted on one member after the other, the leader last."},
		{
			Name: "etcd.client_port", Effect: Refused,
			Why: "Patroni reads etcd's addresses when it starts: with etcd on another port the " +
				"leader would give up its lock",
			Way: "write client_port: %s again",
		},
		{
			Name: "etcd.peer_port", Effect: Refused,
			Why: "etcd keeps the addresses under which its members joined",
			Way: "write peer_port: %s again",
		},
	}
}

func patroniFields() []Field {
	dynamic := func(name string) Field {
		return Field{Name: "patroni." + name, Effect: Reload,
			What: "Into Patroni's dynamic configuration; every member follows within `loop_wait`."}
	}
	return []Field{
		{
			Name: "patroni.namespace", Effect: Refused,
			Why: "a member reads it when it starts: the members that restart would found a " +
				"second cluster beside the first",
			Way: newCluster,
		},
		{
			Name: "patroni.rest_port", Effect: Refused,
			Why: "balancers and members would look for Patroni on the new port before it listens " +
				"there, and find no leader",
			Way: "write rest_port: %s again",
		},
		dynamic("profile"), dynamic("ttl"), dynamic("loop_wait"), dynamic("retry_timeout"),
		dynamic("maximum_lag_on_failover"),
		dynamic("primary_start_timeout"), dynamic("failsafe_mode"), dynamic("use_pg_rewind"),
		dynamic("use_slots"), dynamic("synchronous_mode"),
		{Name: "patroni.watchdog", Effect: Reload,
			What: "Patroni is reloaded on one member after the other."},
		{Name: "patroni.fast_failover.suspect_after", Effect: Reload,
			What: "Its agents are started, stopped or started again on one member after the other; " +
				"Patroni and PostgreSQL do not notice."},
		{Name: "patroni.extra", Effect: Reload,
			What: "Patroni is reloaded on one member after the other. What the toolkit itself " +
				"writes there (names, addresses, ports, directories, certificates, rules, " +
				"logins, the store, tags) is refused."},
	}
}

func balancerFields() []Field {
	reload := func(name, what string) Field {
		return Field{Name: "balancer." + name, Effect: Reload,
			What: "HAProxy is reloaded on one balancer after the other, the address's holder last; " + what}
	}
	port := func(name string) Field {
		return Field{Name: "balancer." + name, Effect: Ordered,
			What: "HAProxy is reloaded on one balancer after the other, the address's holder " +
				"last; sessions go on for an hour, and new ones need the new port at once: with the " +
				"old one in `balancer.former_" + name + "` either port is served."}
	}
	formerPort := func(name string) Field {
		return Field{Name: "balancer.former_" + name, Effect: Reload,
			What: "HAProxy is reloaded on one balancer after the other, the address's holder last. " +
				"The port of before is served beside `balancer." + name + "` until the line is " +
				"deleted; sessions through it go on for an hour then, and new ones are refused."}
	}
	return []Field{
		port("write_port"), port("read_port"),
		formerPort("write_port"), formerPort("read_port"),
		reload("read_fallback_to_primary", "sessions go on."),
		{Name: "balancer.stats_port", Effect: Ordered,
			What: "HAProxy is reloaded on one balancer after the other, then keepalived, whose " +
				"check asks it there: the virtual IP may move meanwhile, and new sessions wait a " +
				"second or two."},
		reload("max_connections", "sessions go on."),
		reload("client_timeout", "sessions that are open keep the old one."),
		reload("connect_timeout", "sessions go on."),
		reload("check_interval", "sessions go on."),
		{Name: "monitoring.networks", Effect: RolledRestart,
			What: "HAProxy is reloaded on one balancer after the other. With the first network and " +
				"without the last one etcd is restarted on one member after the other, the leader " +
				"last."},
		{Name: "monitoring.haproxy_port", Effect: Reload,
			What: "HAProxy is reloaded on one balancer after the other; sessions go on."},
		{Name: "monitoring.etcd_port", Effect: RolledRestart,
			What: "etcd is restarted on one member after the other, the leader last."},
		{
			Name: "vip", Effect: Refused,
			Why: "balancers that are no longer told of the address would keep it",
			Way: "write the section vip again, with address: %s",
		},
		{Name: "vip.address", Effect: Ordered,
			What: "New certificates, then keepalived is reloaded where the old address is, which " +
				"goes as the new one comes: sessions through it are cut, and clients need the new " +
				"address at once. With the old one in `vip.former_address` both are served, and " +
				"nothing is cut."},
		{Name: "vip.former_address", Effect: Ordered,
			What: "keepalived is reloaded on one balancer after the other, the holder last: it holds " +
				"the address of before beside `vip.address`. Once the line is deleted it gives that " +
				"one up, which cuts the sessions through it alone; the other balancers' keepalived is " +
				"ended meanwhile, for a second or two in which nobody would take the address over."},
		{Name: "vip.prefix_length", Effect: Ordered,
			What: "keepalived is reloaded on one balancer after the other, the holder last; it " +
				"gives the address up and takes it again."},
		{Name: "vip.router_id", Effect: Ordered,
			What: "keepalived is reloaded on one balancer after the other. Those with another id " +
				"do not hear each other: two hold the address for half a second, and it moves " +
				"twice."},
		{Name: "vip.advert_interval", Effect: Reload,
			What: "keepalived is reloaded on one balancer after the other, the holder last."},
		{Name: "vip.preempt", Effect: Reload,
			What: "keepalived is reloaded on one balancer after the other, the holder last."},
	}
}
