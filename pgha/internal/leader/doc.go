// Package leader asks the leader's PostgreSQL about roles and databases, and makes them as package
// contents says.
package leader
