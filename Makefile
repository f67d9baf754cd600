.DEFAULT_GOAL := help
.PHONY: help up test lint fmt check e2e teardown-test boot-test node-test cgroup2-test
help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

up: ## the shop on this machine, until Ctrl-C; STAGE=stage3 for another stage
	go run ./lab up $(STAGE)

test: ## the tests that need neither Pulumi nor root; go test ./... has the rest
	go test ./contract/... ./docs/... ./lab/... ./service/... ./stack/... ./web/...

lint: ## formatting, linters, vet, and the workflows
	go tool -modfile=.ci/tools/go.mod golangci-lint run
	go vet ./...
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

fmt: ## what lint wants formatted
	go tool -modfile=.ci/tools/go.mod golangci-lint fmt

check: ## everything that CI checks; it ends with how long each step took
	.ci/run

e2e: ## the stages on an emulated AWS account (../shared/emulator); with the Pulumi CLI and moto alone, what those can
	SHOPLAB_E2E=1 go test ./platform ./lab/cli ./lab/automate -p 1 -count=1 -v -timeout 60m \
	  -run "TestEndToEnd|TestMoto|TestRunOnAWS|TestLoadFromAWS|TestUpAndDown|TestTeardown"

teardown-test: ## up and destroy ended by SIGKILL at 20 places each: hours; with SHOPLAB_TEARDOWN_LOG=FILE it goes on
	SHOPLAB_E2E=1 SHOPLAB_TEARDOWN=$${SHOPLAB_TEARDOWN:-20} \
	  go test ./platform -run "TestTeardown|TestExpires|TestBackups" -count=1 -v -timeout 10h

boot-test: ## user data on a booted Debian 13 (../shared/machines), as root; SHOPLAB_BOOT=bare installs every package
	SHOPLAB_BOOT=$${SHOPLAB_BOOT:-1} go test ./platform ./platform/boot -run TestBoot -count=1 -v -timeout 30m

node-test: ## stage 4 on ../shared/node's node, as root, or on SHOPLAB_KUBECONFIG's cluster; SHOPLAB_NODE=long: more
	SHOPLAB_NODE=$${SHOPLAB_NODE:-1} go test ./platform -run 'TestNode$$|TestIstiod' -count=1 -v -timeout 30m

cgroup2-test: ## the twin's control groups on a booted Linux with cgroup v2; needs qemu and apt
	.ci/cgroup2
