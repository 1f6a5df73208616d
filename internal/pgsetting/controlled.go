package pgsetting

import "strings"

// controlled are the settings that Patroni or the toolkit sets: who does and how, for those who use
// the packages, and what to do about it in a specification.
var controlled = map[string]struct{ who, instead string }{
	"listen_addresses": {
		"Patroni sets it from postgresql.listen",
		"PostgreSQL listens on every interface; limit who may connect with client_networks"},
	"port": {
		"Patroni sets it from postgresql.listen: use ListenPort",
		"use postgresql.port"},
	"cluster_name": {
		"Patroni sets it to the scope",
		"use cluster"},
	"hot_standby": {
		"Patroni keeps it on",
		"replicas always answer reads"},
	"data_directory": {
		"Patroni starts PostgreSQL with it: use DataDir",
		"use postgresql.data_dir"},
	"config_file": {
		"Patroni writes it",
		"delete it"},
	"hba_file": {
		"pg_hba.conf is written from config.yml: use PgHBA",
		"use postgresql.pg_hba"},
	"ident_file": {
		"Patroni writes it",
		"delete it"},
	"primary_conninfo": {
		"Patroni points each replica at the leader",
		"delete it: Patroni points each replica at the leader"},
	"primary_slot_name": {
		"Patroni names each replica's slot",
		"delete it: Patroni names each replica's slot"},
	"standby_mode": {
		"Patroni decides who is a replica",
		"delete it"},
	"trigger_file": {
		"Patroni promotes",
		"delete it"},
	"promote_trigger_file": {
		"Patroni promotes",
		"delete it"},
	"recovery_target": {
		"a recovery target on a replica stops replication",
		"delete it: it would stop replication"},
	"recovery_target_timeline": {
		"Patroni keeps replicas on the leader's timeline",
		"delete it: replicas follow the leader's timeline"},
	"unix_socket_directories": {
		"Patroni logs in through it",
		"delete it: Patroni logs in through the socket"},
	"ssl": {
		"every link is encrypted: it stays on",
		"delete it: every link is encrypted"},
	"ssl_cert_file": {
		"it names the certificate that this package puts there: use Member.Postgres",
		"delete it: the toolkit issues the certificates"},
	"ssl_key_file": {
		"it names the key that this package puts there: use Member.Postgres",
		"delete it: the toolkit issues the certificates"},
}

// Controlled tells whether Patroni or the toolkit sets a setting, in whatever case its name is
// written: who does and how, and what to do instead in a specification.
func Controlled(name string) (who, instead string, found bool) {
	c, found := controlled[strings.ToLower(name)]
	return c.who, c.instead, found
}
