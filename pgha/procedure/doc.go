// Package procedure is a change of many steps that outlives the program that began it: an ordered
// list, what each step costs and how it is taken back, and a record of how far it is. It is pure:
// nothing is contacted, and where the record is kept is the caller's business.
package procedure
