// Package power starts, stops, reboots and resets a cluster's hosts and services in a safe order.
package power
