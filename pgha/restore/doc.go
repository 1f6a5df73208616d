// Package restore takes, lists and proves backups of a cluster, and brings the cluster back to a
// moment of the past in recorded steps, of which a run that was cut off is continued, or taken
// back, by any operator. What was there before is kept until somebody confirms.
package restore
