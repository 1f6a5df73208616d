// The client of lib/pq among the lab's tests has a module of its own: the library requires none.
module client

go 1.26

require github.com/lib/pq v1.12.3
