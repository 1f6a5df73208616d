// Package certificates says which certificates a cluster has and what its servers show, renews them
// without an interruption, and replaces the authorities that issue them in recorded steps.
package certificates
