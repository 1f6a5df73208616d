// Package status says how a cluster is at this moment, who leads it, and waits until it is healthy.
package status
