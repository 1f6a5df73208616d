package change

func poolerFields() []Field {
	reloaded := func(name, what string) Field {
		return Field{Name: "pooler." + name, Effect: Reload,
			What: "PgBouncer is reloaded on one balancer after the other, the address's holder " +
				"last; " + what}
	}
	restarted := func(name, what string) Field {
		return Field{Name: "pooler." + name, Effect: Ordered,
			What: "PgBouncer is restarted on one balancer after the other, the address's holder " +
				"last: it waits 10 s for transactions, then sessions through it end. " + what}
	}
	return []Field{
		restarted("write_port", "Clients have to connect to the new port."),
		restarted("read_port", "Clients have to connect to the new port."),
		reloaded("mode", "it holds for clients that connect from then on. The first `pooler` "+
			"section installs PgBouncer; without it PgBouncer goes, and its sessions end."),
		restarted("max_clients", "Its limit of open files follows from it."),
		reloaded("prepared_statements", "sessions go on."),
		reloaded("query_wait_timeout", "sessions go on."),
		reloaded("stats_roles", "consoles of those who are there stay open."),
		reloaded("reserved_connections", "the sizes of all pools follow from it."),
	}
}
