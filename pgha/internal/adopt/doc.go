// Package adopt brings members back to an etcd that lost its data, the one with every row first.
package adopt
