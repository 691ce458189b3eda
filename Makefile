# make with no target prints what there is. Tools live in their own module (tools/go.mod) and are built on first use.
TOOL    := go tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := help
.PHONY: help build images lab demo dev test conformance race fuzz bench fmt generate lint check vuln clean

help: ## Print this
	@awk -F ': ## ' '/^[a-z]+: ## / { printf "%-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the binaries, static and reproducible, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X github.com/podid/podid/internal/cli.version=$(VERSION)' -o bin/ ./cmd/...

images: ## Build the container images, reproducible, for two architectures, into dist/images (PREFIX=registry/path)
	@go run -C tools ./images --root .. --version $(VERSION) --revision $(shell git rev-parse HEAD) $(if $(PREFIX),--prefix $(PREFIX))

lab: ## Build the Kubernetes that the cluster tests boot (about 10 minutes once; then make test runs them as root)
	@test/lab/build

demo: ## Run the whole story once, from two accounts to a pod's PutObject
	@go run ./test/demo

dev: ## Run the control plane on this machine with a built-in cluster
	@go run ./cmd/podid dev

test: ## Run every test this machine can run; says what it left out (PODID_NO_SKIP=1: a skip is a failure)
	@./test/run

conformance: ## Run AWS's CLI and SDKs, unmodified, against podid (needs Python, Node, Java and Rust; UPDATE=1 writes docs/compat/clients.md)
	@test/conformance/install
	@go test -json -count=1 -timeout 30m ./test/conformance $(if $(UPDATE),-update) | go run ./test/report -no-skip

race: ## Run the tests ten times under the race detector, in ten orders
	go test -race -shuffle=on -count=10 ./...

fuzz: ## Run every fuzz target for 30 s (FUZZTIME=5m for longer)
	@./test/fuzz

bench: ## Run the benchmarks, other engines beside ours, and write docs/performance.md (BENCHTIME=1s COUNT=5 for steadier figures)
	@./test/bench/run

fmt: ## Format the code
	@$(TOOL) gofumpt -w .

generate: ## Generate the CRDs and the copies of the API's types
	@test/generate

lint: ## Run the linters
	@$(TOOL) golangci-lint run ./...

check: ## Run everything that can be said without running the code: format, vet, fix, modules, layout, lint, dead code
	@./test/check

vuln: ## Look for known vulnerabilities (PODID_VULNDB=DIR for a database on this machine)
	@$(TOOL) govulncheck $(if $(PODID_VULNDB),-db file://$(PODID_VULNDB)) ./...

clean: ## Remove what was built
	rm -rf bin dist .cache
