package pgsession

// Quiet are statements that begin a session which sets passwords: they keep verifiers out of
// PostgreSQL's log and of what extensions keep of statements, and commits from waiting for a
// replica that is not there.
const Quiet = `SET synchronous_commit TO local;
SET log_statement TO none;
SET log_min_duration_statement TO -1;
SET log_min_error_statement TO panic;
SET pg_stat_statements.track_utility TO off;
SET pgaudit.log TO none;
`
