// Package journal reads the logs of all hosts and merges them by time.
package journal
