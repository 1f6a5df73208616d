// Package rest calls Patroni's REST API: it reads how the cluster and its members are, reads and
// changes the dynamic configuration, and sends the commands that package patroni makes its
// operations of.
//
// [Client] is all there is to it. A look asks members until one answers. A command is another
// matter: when its answer is lost nobody knows whether it was carried out, and [Response] tells
// that apart.
package rest
