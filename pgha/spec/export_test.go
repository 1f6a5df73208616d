package spec

import (
	"regexp"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

// What the generator of the schema takes from the reader.
var (
	NewVIP    = newVIP
	NewBackup = newBackup
	NewPooler = newPooler
)

// Syntaxes are how texts have to look, by field; [] stands for any element of a list.
var Syntaxes = map[string]*regexp.Regexp{
	"cluster":                            clusterSyntax,
	"timezone":                           timezoneSyntax,
	"ssh.user":                           userSyntax,
	"hosts[].ssh.user":                   userSyntax,
	"hosts[].interface":                  interfaceSyntax,
	"postgresql.superuser":               roleSyntax,
	"postgresql.replication_user":        roleSyntax,
	"postgresql.rewind_user":             roleSyntax,
	"postgresql.encoding":                localeSyntax,
	"postgresql.locale":                  localeSyntax,
	"postgresql.repository.suite":        suiteSyntax,
	"postgresql.repository.components[]": suiteSyntax,
	"roles[].name":                       namedSyntax,
	"databases[].name":                   namedSyntax,
	"databases[].encoding":               localeSyntax,
	"databases[].locale":                 localeSyntax,
	"databases[].schemas[].name":         namedSyntax,
	"databases[].extensions[].name":      extensionSyntax,
	"databases[].extensions[].package":   packageSyntax,
	"etcd.version":                       etcdrelease.Syntax,
	"patroni.namespace":                  namespaceSyntax,
	"backup.full":                        calendarSyntax,
	"backup.differential":                calendarSyntax,
	"backup.incremental":                 calendarSyntax,
	"backup.proof":                       calendarSyntax,
}
