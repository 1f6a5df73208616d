// Command provision makes the hosts of a specification a cluster and proves that it works.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: provision SPEC")
	}
	if err := provision(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func provision(ctx context.Context, file string) error {
	sp, err := spec.Load(file)
	if err != nil {
		return err
	}
	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{})
	if err != nil {
		return err
	}
	defer cluster.Close()
	show := func(e pgha.Event) { fmt.Println(e.Kind, e.Phase, e.Host, e.Message) }
	if _, err := cluster.Apply(ctx, pgha.ApplyOptions{Observer: show}); err != nil {
		return err
	}
	_, err = cluster.Verify(ctx, func(c pgha.Check) { fmt.Println(c.OK, c.Name, c.Problem) })
	return err
}
