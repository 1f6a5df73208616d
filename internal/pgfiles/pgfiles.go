// Package pgfiles knows what a running PostgreSQL says of the files that it reads.
package pgfiles

// RefusedSQL is a query for what a running PostgreSQL of the major version, 14 or later, does not
// take of the files that it reads: one JSON list of texts that name file and line. It keeps what it
// read before, and the next start finds out. Settings that wait for a restart are not among them:
// one that was taken out of the files has an error without file, line and name, as those of
// recovery have on a member that was promoted (PostgreSQL 18.6).
func RefusedSQL(version int) string {
	const settings = `SELECT format('%s line %s: %s%s', f.sourcefile, f.sourceline, f.name || ': ', f.error) FROM pg_file_settings f
	LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name) WHERE f.error IS NOT NULL AND f.sourcefile IS NOT NULL
	AND NOT coalesce(s.pending_restart, false)`
	const rules = ` UNION ALL SELECT format('line %s of pg_hba.conf: %s', line_number, error) FROM pg_hba_file_rules WHERE error IS NOT NULL`
	const mappings = ` UNION ALL SELECT format('line %s of pg_ident.conf: %s', line_number, error) FROM pg_ident_file_mappings WHERE error IS NOT NULL`
	query := settings + rules
	if version >= 15 {
		query += mappings
	}
	return `SELECT coalesce(json_agg(text), '[]') FROM (` + query + `) AS refused (text)`
}
