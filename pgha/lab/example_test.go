package lab_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pgha/toolkit/pgha/lab"
)

func Example() {
	ctx := context.Background()
	l, err := lab.Start(ctx, lab.Options{
		Name: "demo",
		Progress: func(e lab.Event) {
			if e.Done {
				fmt.Println(e.Host, e.Message, e.Duration)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range l.Hosts() {
		fmt.Println(h.Name, h.Address, h.Role)
	}
	out := lab.Stdio{Out: os.Stdout, Err: os.Stderr}
	if _, err := l.Exec(ctx, "postgres-01", []string{"systemctl", "is-system-running"},
		out); err != nil {
		log.Fatal(err)
	}
	if err := l.Down(ctx); err != nil {
		log.Fatal(err)
	}
}
