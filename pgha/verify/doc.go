// Package verify checks a running cluster from end to end, its security floor included.
package verify
