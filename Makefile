.PHONY: e2e
e2e: ## the stages against an emulated AWS account (../shared/emulator)
	SHOPLAB_E2E=1 go test ./platform -run TestEndToEnd -count=1 -v -timeout 60m
