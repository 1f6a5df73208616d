// Package configtree reads, merges and compares the nested settings of Patroni and PostgreSQL.
package configtree
