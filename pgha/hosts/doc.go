// Package hosts lets hosts come and go while the cluster serves: it adds, removes and replaces them
// in recorded steps, of which a run that was cut off is continued, or taken back, by any operator.
package hosts
