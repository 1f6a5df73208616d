// Package job is one piece of work on a site: connections whose changes are reported or held back,
// and the locks that let only one such piece change a cluster at a time.
package job
