// Package measure asks a cluster's hosts for the facts that package advisor judges.
package measure
