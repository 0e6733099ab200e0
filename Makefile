# camfeed: `make` lists what can be made. `make run` and `make test` do their own set-up.
#
# A cargo that a shell does not have on its PATH yet (rustup puts it there at the next login) is
# found all the same.

export PATH := $(PATH):$(HOME)/.cargo/bin
ARGS ?=
PREFIX ?= /usr/local
BIN ?= target/release/camfeed
export PREFIX DESTDIR SYSCONFDIR BIN HELP

.PHONY: help setup setup-test setup-bench setup-page build run install uninstall deb test check check-page bench

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

install: ## install what was built, as root: below PREFIX=/usr/local, DESTDIR=… for packagers
	@scripts/package/install install

uninstall: ## take away what `make install` put there; changed options stay
	@scripts/package/install uninstall

deb: build ## make a Debian package for this release of Debian: target/camfeed_VERSION_ARCH.deb
	@sh scripts/setup package
	@package=$$(scripts/package/deb) && echo "made $$package; this line installs it:" && \
	  case $$package in /*) ;; *) package=./$$package ;; esac && \
	  case $$package in *" "*) package="'$$package'" ;; esac && echo "sudo apt install --reinstall $$package"

test: setup-test ## run all tests
	cargo test --locked

check: setup ## check format, lints and documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

setup-page: # and what judges the page: a browser, Node.js for its judge, ffmpeg for a fake camera's pictures
	@sh scripts/setup build page

check-page: setup-page ## judge the page with axe-core, which npm fetches, in Chromium, dark and light
	cargo build --locked
	@sh scripts/check-page/run

setup-bench: # and what the bench needs: ffmpeg for pictures, a browser, a packaged peer
	@sh scripts/setup build bench

bench: setup-bench ## measure beside peers and a bare sender, some minutes; options in ARGS="--help"
	cargo bench --locked --bench feed -- $(ARGS)
