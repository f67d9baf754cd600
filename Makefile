.PHONY: e2e boot-test cgroup2-test
e2e: ## the stages against an emulated AWS account (../shared/emulator)
	SHOPLAB_E2E=1 go test ./platform ./lab/cli ./lab/automate -run "TestEndToEnd|TestRunOnAWS|TestUpAndDown" -p 1 -count=1 -v -timeout 60m

boot-test: ## the stages' user data on a booted Debian 13 (../shared/machines); needs root. SHOPLAB_BOOT=bare installs every package
	SHOPLAB_BOOT=$${SHOPLAB_BOOT:-1} go test ./platform ./platform/boot -run TestBoot -count=1 -v -timeout 30m

cgroup2-test: ## the twin's control groups on a booted Linux with cgroup v2; needs qemu and apt
	.ci/cgroup2
