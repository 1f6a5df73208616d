// Package recovery leads out of situations that no host mends by itself: the cluster continues from
// one member when the majority is lost for good.
package recovery
