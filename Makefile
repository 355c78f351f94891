# check is the minute before a commit; check-all is what a release must pass.
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: check check-all lint lint-e2e demo bench

check: lint
	go test -race -short ./...

# Nothing is skipped: PostgreSQL, openssl and the vendor's client must be there.
check-all: export CERTWRIGHT_NO_SKIP = 1
check-all: lint lint-e2e
	go test -race -timeout 40m ./...
	cd e2e && go test -count=1 -timeout 20m ./... # go does not see that the program has changed

lint:
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "gofmt: $$bad"; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...

lint-e2e:
	cd e2e && go vet ./... && $(STATICCHECK) ./...

demo:
	go run ./cmd/certwright demo

bench:
	go test -run '^$$' -bench . -benchtime 10s -timeout 30m ./bench
