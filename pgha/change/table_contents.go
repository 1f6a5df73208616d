package change

// contentsFields are those of what is inside PostgreSQL: statements on the leader, which no session
// is cut off for.
func contentsFields() []Field {
	made := func(name, what string) Field { return Field{Name: name, Effect: Reload, What: what} }
	const attribute = "`ALTER ROLE` on the leader; sessions go on, and new ones have it."
	return []Field{
		made("roles[].name", "The role is made. One that is no longer named stays on the server."),
		made("roles[].ensure", "With `absent` the role is dropped; refused, with a list, while it "+
			"owns anything, has rights on anything or has sessions."),
		made("roles[].login", attribute),
		made("roles[].password_file", "The leader gets a verifier of the password; sessions go on, "+
			"and new ones need it. So with a new password in the file."),
		made("roles[].password_command", "As with `password_file`."),
		made("roles[].connection_limit", "`ALTER ROLE` on the leader; sessions beyond it go on."),
		made("roles[].member_of", "Granted on the leader. A membership that is no longer named stays."),
		made("roles[].valid_until", attribute),
		made("roles[].settings", "`ALTER ROLE ... SET` on the leader; new sessions have it. A "+
			"setting that is no longer named stays; `null` takes it away."),
		made("roles[].replication", attribute),
		made("roles[].pool_connections", "PgBouncer is reloaded on one balancer after the other."),
		made("databases[].name", "The database is made. One that is no longer named stays on the "+
			"server."),
		made("databases[].ensure", "With `absent` the database is dropped; refused, with a list, "+
			"while it has sessions or, without `with_tables`, tables."),
		made("databases[].with_tables", "Read when the database is dropped."),
		made("databases[].owner", "`ALTER DATABASE` on the leader; what is in it keeps its owners."),
		made("databases[].encoding", "Of a new database. Refused where one that exists has another."),
		made("databases[].locale", "Of a new database. Refused where one that exists has another."),
		made("databases[].connection_limit", "`ALTER DATABASE` on the leader; sessions beyond it go "+
			"on."),
		made("databases[].pool_mode", "PgBouncer is reloaded on one balancer after the other."),
		made("databases[].pool_connections", "PgBouncer is reloaded on one balancer after the "+
			"other; sessions beyond it end when their clients let go of them."),
		made("databases[].schemas[].name", "The schema is made. One that is no longer named stays."),
		made("databases[].schemas[].owner", "`ALTER SCHEMA` on the leader; what is in it keeps its "+
			"owners."),
		made("databases[].extensions[].name", "The extension is made. One that is no longer named "+
			"stays."),
		made("databases[].extensions[].schema", "The extension is moved; refused where it cannot be."),
		made("databases[].extensions[].package", "Installed on every database host before anything "+
			"is made on the leader; no service is restarted."),
		made("access[].role", "Patroni is reloaded on one member after the other; sessions go on."),
		made("access[].database", "Patroni is reloaded on one member after the other; sessions go "+
			"on."),
		made("access[].networks", "Patroni is reloaded on one member after the other; sessions go "+
			"on."),
	}
}
