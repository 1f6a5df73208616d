// Package event defines what an observer of long work receives: phases, changes, progress,
// warnings.
package event
