package change

const (
	newCluster = "write %s again; another value takes a new cluster on other hosts, and its data " +
		"moved there"
	hostsGo = "; a host goes by the verb host remove, or by host replace"
)

func generalFields() []Field {
	return []Field{
		{Name: "version", Effect: Operator, What: "The version of the format, which is always 1."},
		{
			Name: "cluster", Effect: Refused,
			Why: "it is Patroni's scope, which a member reads when it starts: the members that " +
				"restart would found a second cluster beside the first",
			Way: newCluster,
		},
		{Name: "timezone", Effect: Reload,
			What: "Set on each host at once. PostgreSQL keeps the zone that its own `timezone` " +
				"names; programs that run see the host's when they start again."},
		{Name: "state_dir", Effect: Operator,
			What: "Move the directory first. Hosts whose authority is not in it are refused."},
	}
}

func hostFields() []Field {
	return []Field{
		{
			Name: "hosts", Effect: Ordered,
			What: "A database host more: etcd takes it as a learner and gives it a vote when it " +
				"has everything, members let it in (a reload each), and Patroni copies the data " +
				"to it. A host of etcd more gets its vote the same way, and Patroni is told of " +
				"it. A balancer more: the others learn of it before it starts, so the address " +
				"stays where it is. A host less is refused unless it is named to apply as one " +
				"to remove, which does what the verb host remove does.",
			Why: "etcd counts its majority over all members that it knows, and a balancer that is " +
				"left out takes the virtual IP beside the others",
			Way: "write the hosts again as they run: %s" + hostsGo,
		},
		{Name: "hosts[].name", Effect: Ordered,
			What: "New certificates and a new name in the balancers' files; keep `member` as it " +
				"was, which is the old name where it is not written."},
		{
			Name: "hosts[].address", Effect: Refused,
			Why: "etcd keeps the address under which a member joined, and a balancer's peers " +
				"listen to the old one",
			Way: "write %s again; the verb host replace puts a host of another address in its place",
		},
		{
			Name: "hosts[].role", Effect: Refused,
			Why: "what the role brings is on the host, and runs",
			Way: "write the hosts again as they run: %s" + hostsGo,
		},
		{
			Name: "hosts[].roles", Effect: Refused,
			Why: "what the roles bring is on the host, and runs",
			Way: "write %s",
		},
		{
			Name: "hosts[].member", Effect: Refused,
			Why: "etcd and Patroni read the name when they start and know the member by it: half " +
				"of the cluster would call it by either",
			Way: "write member: %s again",
		},
		{Name: "hosts[].priority", Effect: Reload,
			What: "keepalived is reloaded on one balancer after the other. The address moves if " +
				"another one has now the highest priority."},
		{Name: "hosts[].interface", Effect: Ordered,
			What: "keepalived is reloaded; the balancer gives the address away if it holds it, " +
				"and takes it on the other interface."},
		{Name: "hosts[].tags", Effect: Reload, What: "Patroni is reloaded on one member after " +
			"the other."},
		{Name: "hosts[].dns_names", Effect: Reload,
			What: "New certificates; etcd reads them with the next connection, Patroni and " +
				"PostgreSQL are reloaded."},
		{Name: "hosts[].ssh.user", Effect: Operator, What: "Used for the next connection."},
		{Name: "hosts[].ssh.port", Effect: Operator, What: "Used for the next connection."},
		{Name: "hosts[].ssh.host_key", Effect: Operator, What: "Used for the next connection."},
		{Name: "hosts[].ssh.jump", Effect: Operator, What: "Used for the next connection."},
		{Name: "hosts[].ssh.address", Effect: Operator, What: "Used for the next connection."},
	}
}

func operatorFields() []Field {
	return []Field{
		{Name: "ssh.user", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.port", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.identity_files", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.passphrase_file", Effect: Operator,
			What: "Read when the passphrase of a key is wanted."},
		{Name: "ssh.passphrase_command", Effect: Operator,
			What: "Run when the passphrase of a key is wanted."},
		{Name: "ssh.sudo_password_file", Effect: Operator,
			What: "Read when sudo wants a password."},
		{Name: "ssh.sudo_password_command", Effect: Operator,
			What: "Run when sudo wants a password."},
		{Name: "ssh.agent", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.known_hosts", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.host_keys", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.jump", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.connect_timeout", Effect: Operator, What: "Used for the next connection."},
		{Name: "ssh.max_sessions", Effect: Operator, What: "Used for the next connection."},
		{Name: "tls.key_algorithm", Effect: Operator,
			What: "Used for keys that are made from now on."},
		{Name: "tls.ca_lifetime_days", Effect: Operator,
			What: "Used for authorities that are made from now on."},
		{Name: "tls.leaf_lifetime_days", Effect: Reload,
			What: "Certificates that would last longer are made again, those of the hosts too; " +
				"the others when a third of their life is left."},
		{Name: "tls.leaf_lifetime", Effect: Reload,
			What: "The same; certificates timer install again makes the timer as frequent as it " +
				"has to be."},
		secretField("superuser_password_file"), secretField("superuser_password_command"),
		secretField("replication_password_file"), secretField("replication_password_command"),
		secretField("rewind_password_file"), secretField("rewind_password_command"),
		{Name: "secrets.age.recipients", Effect: Operator,
			What: "The secrets in the state directory are written again for the new recipients."},
		{Name: "secrets.age.identity_file", Effect: Operator, What: "Read when the secrets are."},
		{Name: "secrets.age.identity_command", Effect: Operator,
			What: "Run when the secrets are read."},
		{Name: "unattended.needrestart_exclude", Effect: Reload,
			What: "A file of needrestart's is written or removed."},
		{Name: "slo.failover", Effect: Operator, What: "Drills hold the cluster to it."},
		{Name: "slo.switchover", Effect: Operator, What: "Drills hold the cluster to it."},
		{Name: "slo.lost_rows", Effect: Operator, What: "Drills hold the cluster to it."},
		{Name: "slo.backup_age", Effect: Operator, What: "`status` and `verify` hold the cluster to it."},
		{Name: "slo.restore_proof_age", Effect: Operator,
			What: "`status` and `verify` hold the cluster to it."},
	}
}

// secretField is where a password comes from. apply refuses a password that the role does not have
// (settlePasswords).
func secretField(name string) Field {
	return Field{Name: "secrets." + name, Effect: Operator,
		What: "Another password than the role's is refused: `secrets rotate` brings it in."}
}
