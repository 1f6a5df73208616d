// Package secrets rotates the passwords of the cluster's roles and the authority of Patroni's REST
// API.
package secrets
