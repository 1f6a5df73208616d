// Package provision makes hosts the cluster that a specification describes: the standard phases,
// apply, plan, and where the differences come from.
package provision
