// Package record defines what hosts remember of a cluster: lines of their journals, and operations.
package record
