// Package hostlook asks a host about the cluster's units, its boot and PostgreSQL's control file.
package hostlook
