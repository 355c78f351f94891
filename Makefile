# check is the minutes before a commit; check-all is what a release must pass.
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Most tests wait more than they compute.
TEST = go test -parallel 8 -timeout 60m

.PHONY: check check-all lint lint-e2e demo bench

check: lint
	$(TEST) -short ./...

# Nothing is skipped: PostgreSQL, openssl and the vendor's client must be there.
check-all: export CERTWRIGHT_NO_SKIP = 1
check-all: lint lint-e2e
	$(TEST) ./...
	CERTWRIGHT_TEST_ON=sqlite $(TEST) -race -short ./internal/store/... # the detector makes SQLite, which is Go, many times slower
	CERTWRIGHT_TEST_ON=postgres $(TEST) -race ./...
	cd e2e && go test -count=1 -timeout 30m ./... # go does not see that the program has changed

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
