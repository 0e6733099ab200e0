# camfeed: `make` lists what can be made. `make run` and `make test` do their own set-up.
#
# A cargo that a shell does not have on its PATH yet (rustup puts it there at the next login) is
# found all the same.

export PATH := $(PATH):$(HOME)/.cargo/bin
ARGS ?=

.PHONY: help setup setup-test build run test check bench

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | \
	  awk -F'\t' '{ printf "make %-11s %s\n", $$1, $$2 }'

setup: ## install what building and running need, with apt; only what is missing
	@sh scripts/setup build

setup-test: # and what the tests need: real clients to talk to the server
	@sh scripts/setup build test

build: setup ## build the program: target/release/camfeed
	cargo build --release --locked

run: build ## show the camera, or the test pattern; options in ARGS="--source /dev/video0"
	@exec ./target/release/camfeed $(ARGS)

test: setup-test ## run all tests
	cargo test --locked

check: setup ## check format, lints and documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

bench: setup-test ## measure against a bare sender; options in ARGS="--viewers 1,100"
	cargo bench --locked --bench feed -- $(ARGS)
