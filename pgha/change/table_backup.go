package change

func backupFields() []Field {
	written := func(name, what string) Field {
		return Field{Name: "backup." + name, Effect: Reload, What: what}
	}
	const moved = "pgBackRest's configuration is written on the repository's host and on those of the " +
		"databases. The new repository begins without backups; those in the former one stay there."
	const reached = "pgBackRest's configuration on the repository's host is written, and the repository " +
		"is looked at before anything depends on it."
	reads := func(name string) Field {
		return Field{Name: "backup.repository[]." + name, Effect: Reload, What: reached}
	}
	var beginning []Field
	for _, name := range []string{"cluster", "to", "encryption_key_file", "repository.type",
		"repository.host", "repository.path", "repository.endpoint", "repository.bucket",
		"repository.port", "repository.region", "repository.uri_style", "repository.ca_file",
		"repository.access_key", "repository.address", "repository.user", "repository.host_keys",
		"repository.key_file", "repository.key_command"} {
		beginning = append(beginning, Field{Name: "backup.bootstrap_from." + name, Effect: Operator,
			What: "Read while there are no databases only."})
	}
	return append(beginning, []Field{
		{Name: "backup.repository[].type", Effect: Ordered, What: moved},
		{Name: "backup.repository[].host", Effect: Ordered, What: moved},
		{Name: "backup.repository[].path", Effect: Ordered, What: moved},
		{Name: "backup.repository[].bucket", Effect: Ordered, What: moved},
		{Name: "backup.repository[].endpoint", Effect: Ordered, What: moved},
		{Name: "backup.repository[].address", Effect: Ordered, What: moved},
		reads("port"), reads("region"), reads("uri_style"), reads("ca_file"), reads("access_key"),
		reads("user"), reads("host_keys"), reads("key_file"), reads("key_command"),
		{Name: "backup.port", Effect: Ordered,
			What: "pgBackRest's server is restarted on each host. A backup that is being made " +
				"fails, and is made again by the calendar."},
		written("full", "The timer on the repository's host is written."),
		written("differential", "The timer on the repository's host is written."),
		written("incremental", "The timer on the repository's host is written."),
		written("retention_days", "Read when a full backup has been made, and by `backup expire`."),
		{Name: "backup.encrypted", Effect: Ordered,
			What: "For a repository that has no backups yet. Refused before anything is changed where " +
				"it has: they could not be read any more."},
		written("archive_timeout", "Into Patroni's dynamic configuration, which every member loads. "+
			"The first `backup` section brings `archive_mode: on`, which waits for `restart --pending`."),
		written("processes", "Read by the next backup or restore."),
		written("log_limit_mb", "Into pgBackRest's configuration, which each archive command reads, where "+
			"`at_log_limit` is drop; else it is what `doctor` watches."),
		written("at_log_limit", "Into pgBackRest's configuration, which each archive command reads."),
		written("proof_host", "The timer is made there; on the former host it goes."),
		written("proof", "The timer on that host is written."),
	}...)
}
