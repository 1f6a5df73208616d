// Package inspect asks the hosts, before anything is changed, whether they can become the cluster
// that a specification describes; the judgements themselves are packages preflight, change and
// trial.
package inspect
