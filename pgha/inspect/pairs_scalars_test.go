package inspect

// scalarPairs are values that are read differently than they are written, or refused with what to
// write.
func scalarPairs() []specPair {
	return []specPair{
		{
			name: "a duration that begins with a zero", after: "patroni: {ttl: 036s}",
			refused: "is not a duration in the form", way: "write 36s",
		},
		{
			name: "seconds that are octal in YAML 1.1", after: "patroni: {ttl: '036'}",
			refused: "begins with a zero", way: "write 36, or 30 if octal was meant",
		},
		{name: "hexadecimal seconds", after: "patroni: {ttl: '0x1E'}", refused: "is not decimal",
			way: "write 30"},
		{
			name: "seconds in groups", after: "patroni: {primary_start_timeout: '1_000'}",
			refused: "digits in groups", way: "write 1000",
		},
		{
			name: "a fraction without a zero", after: "vip: {advert_interval: '.5'}",
			refused: "plain decimal", way: "write 0.5",
		},
		{name: "seconds with an exponent", after: "patroni: {ttl: '6e1'}", refused: "plain decimal",
			way: "write 60"},
		{
			name: "not a number of seconds", after: "patroni: {ttl: .nan}",
			refused: "is not a duration",
			way:     "such as 100ms, 10s",
		},
		{
			name: "a duration in days", after: "balancer: {client_timeout: 1d}",
			refused: "is not a duration", way: "write 24h",
		},
		{
			name: "a duration in words", after: "balancer: {client_timeout: 2 hours}",
			refused: "is not a duration", way: "write 2h",
		},
		{
			name: "a duration as PostgreSQL writes it", after: "etcd: {auto_compaction: 30min}",
			refused: "is not a duration", way: "write 30m",
		},
		{
			name: "a duration as ISO writes it", after: "etcd: {auto_compaction: PT30M}",
			refused: "is not a duration", way: "write 30m",
		},
		{
			name: "milliseconds without a unit", after: "etcd: {heartbeat_interval: 100}",
			refused: "has no unit", way: "write 100ms",
		},
		{
			name: "quotes around a port", after: "postgresql: {port: '5432'}",
			refused: "is text because of its quotes", way: "write 5432 without quotes",
		},
		{
			name: "quotes around a boolean", after: "patroni: {use_slots: 'true'}",
			refused: "is text because of its quotes", way: "write true without quotes",
		},
		{
			name: "no for a mode", after: "patroni: {synchronous_mode: no}",
			refused: "is not one of off, on", way: "write off",
		},
		{
			name: "yes for a mode", after: "patroni: {synchronous_mode: yes}",
			refused: "is not one of off, on", way: "write on",
		},
		{
			name: "false for the watchdog", after: "patroni: {watchdog: no}",
			refused: "is not one of automatic, off", way: "write off",
		},
		{
			name: "off for a boolean", after: "patroni: {failsafe_mode: off}",
			refused: "is not a boolean here", way: "write false",
		},
		{
			name: "on for a tag", after: "hosts: {pg2: {tags: {nosync: 'yes'}}}",
			refused: "is not a boolean", way: "write true or false",
		},
		{
			name: "a number in quotes for a tag", after: "hosts: {pg2: {tags: " +
				"{failover_priority: '2'}}}",
			refused: "is not a whole number", way: "write 2 without quotes",
		},
		{
			name: "a size for a number of bytes", after: "patroni: {maximum_lag_on_failover: 1MB}",
			refused: "is not a whole number", way: "write 1048576",
		},
		{
			name:    "quotes around a number of sessions",
			after:   "postgresql: {parameters: {max_connections: '200'}}",
			refused: "is not a whole number",
			way:     "write 200 without quotes",
		},
		{
			name: "an address with a port", after: "hosts: {pg2: {address: '10.0.0.12:5432'}}",
			refused: "is not an IP address", way: "write 10.0.0.12",
		},
		{
			name: "an address with zeros", after: "hosts: {pg2: {address: 010.0.0.12}}",
			refused: "is not an IP address", way: "write 10.0.0.12",
		},
		{
			name: "the broadcast address", after: "hosts: {pg2: {address: 10.0.0.255}}",
			refused: "belongs to no host", way: "vip.prefix_length",
		},
		{
			name: "a network with a mask", after: "postgresql: {client_networks: " +
				"[10.0.0.0/255.0.0.0]}",
			refused: "is not a network", way: "write 10.0.0.0/8",
		},
		{
			name:    "a data directory that ends in a slash",
			after:   "postgresql: {data_dir: /pgdata/}",
			refused: "is not the shortest form", way: "write /pgdata",
		},
		{
			name:    "a data directory that a restart empties",
			after:   "postgresql: {data_dir: /dev/shm/pg}",
			refused: "does not outlive a restart", way: "such as /var/lib/postgresql/data",
		},
		{
			name: "the root as state directory", after: "state_dir: /",
			refused: "belongs to the system",
			way:     "such as /prod.state",
		},
		{
			name: "a jump host as a URL", after: "ssh: {jump: 'ssh://admin@bastion:2222'}",
			refused: "is not a jump host", way: "write admin@bastion:2222",
		},
		{
			name: "a member that ends in a number", after: "hosts: {pg2: {member: pg.01}}",
			refused: "ends in a number", way: "write pg-01",
		},
		{
			name: "a role with a hyphen", after: "postgresql: {rewind_user: re-wind}",
			refused: "cannot name a role", way: "write re_wind",
		},
	}
}
