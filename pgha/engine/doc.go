// Package engine runs pieces of work on a cluster: the phases of an apply or a plan, and single
// verbs under the cluster's lock, with an audit trail and a dry run. An embedder writes a verb of
// its own with the same parts, by way of Cluster.Operate.
package engine
