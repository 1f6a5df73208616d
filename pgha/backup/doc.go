// Package backup configures pgBackRest on the hosts of a Patroni cluster, and takes, lists, proves
// and restores backups with it.
//
// One host, the repository, keeps the backups and the write-ahead log. pgBackRest's own server runs
// there and on every database's host; they speak TLS to each other, each with a certificate of an
// authority that signs nothing else. PostgreSQL pushes its log to the repository, and the
// repository fetches backups from a replica where there is one, so that nothing changes when the
// leader does.
//
// Everything goes through remote.Executor: a Target for each host is all that the package needs.
package backup
