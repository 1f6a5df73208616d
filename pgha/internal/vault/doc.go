// Package vault is the state directory: a store of files, plain or encrypted, and in it the
// authorities, passwords and certificates of one cluster.
package vault
