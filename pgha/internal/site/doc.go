// Package site holds a specification with live connections to its hosts and the credentials, and
// makes of them what the components and SQL sessions need.
package site
