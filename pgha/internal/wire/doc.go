// Package wire opens TLS sessions to the cluster's servers, from its hosts: what a server shows,
// whom it lets in, and which versions it speaks.
package wire
