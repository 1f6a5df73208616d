# Every target can be run again. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The Go project's own installation stands aside from the usual PATH.
export PATH := $(PATH):/usr/local/go/bin
# Some clones belong to another user than the one who builds; Git then answers nothing, and Go must not ask it.
BUILDVCS := $(if $(shell git rev-parse HEAD 2>/dev/null),true,false)

CLI  := bin/pgha-cli
LINT := bin/golangci-lint
# What the tests try the rendered files, certificates, reports and connection strings on, and what the race detector is
# built with.
TEST_PACKAGES := chromium fish gcc libc6-dev haproxy openssl perl postgresql-client procps pyflakes3 python3 python3-asyncpg \
	python3-psycopg python3-psycopg2 python3-sqlalchemy shellcheck tmux

FUZZTIME ?= 10s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use

.PHONY: demo
demo: lab-deps build ## a real cluster on this machine alone: six hosts, provisioned, verified (root)
	@scripts/install-missing.sh postgresql-client
	$(CLI) lab up
	$(CLI) --lab apply --yes
	$(CLI) --lab verify
	@# etcd and Patroni may still be settling the last role: a status that says so is no failure of the demo.
	$(CLI) --lab status || :
	@cat scripts/demo-next.txt

.PHONY: build
build: go ## build bin/pgha-cli
	go build -buildvcs=$(BUILDVCS) -o $(CLI) ./cmd/pgha-cli

.PHONY: release
release: go ## build the archives and Debian packages of a release in dist/release
	BUILDVCS=$(BUILDVCS) scripts/release.sh

.PHONY: drill
drill: lab-deps build ## break a new lab in every way there is, measure it, and write dist/drill.html (about 40 minutes; root)
	@mkdir -p dist; trap '$(CLI) --lab-name drill lab down' EXIT; \
	$(CLI) --lab-name drill lab up; \
	$(CLI) --lab-name drill lab spec >bin/drill.yaml; \
	echo 'patroni: {profile: fast, synchronous_mode: quorum}' >>bin/drill.yaml; \
	$(CLI) --lab --lab-name drill --spec bin/drill.yaml apply --yes; \
	$(CLI) --lab --lab-name drill --spec bin/drill.yaml drill --all --report dist/drill.html $(if $(RUNS),--runs $(RUNS))

.PHONY: bench
bench: lab-deps bench-scale ## measure apply, status and verify on a new lab (RUNS=3: minimum, median, maximum)
	go run ./cmd/pgha-bench $(if $(RUNS),-runs $(RUNS))

.PHONY: bench-scale
bench-scale: go ## measure a run without changes on 6 and on 100 simulated hosts
	go run ./cmd/pgha-bench -scale $(if $(RUNS),-runs $(RUNS))

.PHONY: bench-operations
bench-operations: lab-deps ## measure seconds without writes and lost rows, 10 times each, in about two hours (RUNS=2 ONLY=switchover,power-fence)
	go run ./cmd/pgha-bench -operations $(if $(RUNS),-runs $(RUNS)) $(if $(ONLY),-only $(ONLY))

.PHONY: bench-hosts
bench-hosts: lab-deps ## measure hosts that come, go and are replaced under a writer, in about 10 minutes
	go run ./cmd/pgha-bench -hosts

.PHONY: bench-backup
bench-backup: lab-deps ## measure backups of 2 GB beside the same by hand (SIZE=200: MB)
	go run ./cmd/pgha-bench -backups $(if $(SIZE),-size $(SIZE))

##@ Check

.PHONY: test
test: export PGHA_REQUIRE_BROWSER := 1
test: export PGHA_SCHEDULES := 100000
test: test-deps unit model fuzz-short lint lab-test ## everything: unit tests, fuzz targets, linters, then the tests on real hosts (root)

.PHONY: unit
unit: go ## unit tests, CLI tests and examples, with the race detector
	go test -race -shuffle=on -timeout 15m ./...

.PHONY: model
model: go ## explore every order of the steps of a fast failover in two minutes
	PGHA_MODEL=1 go test -timeout 20m ./internal/failover/model

.PHONY: lab-test
lab-test: lab-deps test-deps ## tests that boot real hosts, install clusters on them and break them (root)
	@# The first have a limit of their own: what hangs there is told early, and the others still run.
	code=0; \
	PGHA_LAB=1 go test -p 1 -parallel 2 -timeout 25m ./pgha/lab/... ./examples || code=1; \
	PGHA_LAB=1 go test -parallel $$(scripts/lab-parallel.sh) -timeout 150m ./pgha/labtest/... || code=1; \
	exit $$code

.PHONY: lab-test-all
lab-test-all: lab-deps test-deps ## the same with what is too long for each change, in about two hours (root)
	PGHA_LAB=1 PGHA_LAB_ALL=1 go test -parallel $$(scripts/lab-parallel.sh) -timeout 6h ./pgha/labtest/...

.PHONY: soak
soak: lab-deps ## the same tests with many more repetitions, every drill, and 200 faults in a row (PGHA_SEED=7), in hours (root)
	PGHA_LAB=1 PGHA_SOAK=1 go test -v -p 1 -parallel 2 -timeout 10h -run 'TestOperations|TestUpkeep|TestDrills|TestFastFailoverSoak' ./pgha/labtest

.PHONY: lint
lint: go $(LINT) ## formatting, go vet, golangci-lint with the direction of imports, shellcheck, perl and pyflakes
	go vet ./...
	$(LINT) run ./...
	go run ./scripts/house
	@go run ./scripts/api | diff -u scripts/api/api.txt - || { echo 'the public API differs from scripts/api/api.txt: make api accepts it, and CHANGELOG.md says it'; exit 1; }
	scripts/lint-scripts.sh

.PHONY: api
api: go ## accept the public API as it is now: writes scripts/api/api.txt
	go run ./scripts/api >scripts/api/api.txt

.PHONY: fuzz
fuzz: go ## every fuzz target for FUZZTIME (10s), one after the other
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

.PHONY: fuzz-short
fuzz-short: go ## every fuzz target with 500 inputs
	FUZZTIME=500x scripts/fuzz.sh

##@ Needed by others

# The linter has a module of its own, so that nothing of it stands among the library's requirements.
$(LINT): tools/go.mod tools/go.sum
	cd tools && go build -buildvcs=false -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: lab-deps
lab-deps: go
	@scripts/install-missing.sh $$(go run ./scripts/packages)

.PHONY: test-deps
test-deps:
	@scripts/install-missing.sh $(TEST_PACKAGES)

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'error: Go is not installed; see https://go.dev/doc/install' >&2; exit 1; }

.PHONY: clean
clean: ## remove what was built; labs and their image stay (pgha-cli lab down)
	rm -rf bin dist
