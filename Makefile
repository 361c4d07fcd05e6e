# What people and CI type: `make demo` runs the main job, `make test` passes the tests; both do all set-up.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# Where cargo puts its output: CARGO_TARGET_DIR if it is set, else ./target.
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
BIN := $(TARGET)/debug

.PHONY: help toolchain setup build trainer test lint fmt demo clean-demo bench dist audit fuzz chaos

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf 'make %-11s %s\n' "$$name" "$$text"; done

toolchain:
	@command -v $(CARGO) >/dev/null || { echo 'error: cargo is not on PATH'; echo 'hint: install Rust with rustup (https://rustup.rs); rust-toolchain.toml chooses the version'; exit 1; }
	@command -v cc >/dev/null || { echo 'error: there is no C compiler'; echo 'hint: Debian and Ubuntu: apt install build-essential'; exit 1; }

setup: toolchain ## fetch the NATS server (8 MB), libtorch (540 MB) and an S3 server for tests (30 MB) into .deps; nothing is installed outside the checkout
	@infra/setup all

build: ## ktrdr and every service; the trainer computes in plain Rust on the CPU
	$(CARGO) build --locked --workspace --bins

trainer: ## the trainer with libtorch (540 MB, fetched into .deps), which GPUs need
	@infra/setup libtorch
	$(CARGO) build --locked --bins -p trainer --features libtorch

fmt: ## format all sources
	$(CARGO) fmt

lint: setup ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --features trainer/libtorch -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Most tests wait for servers: four at a time take two thirds of the time of two, on two cores.
export RUST_TEST_THREADS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); [ "$$cores" -gt 4 ] && echo "$$cores" || echo 4)

# Programs and tests are built by one command: apart, cargo gives them other features and compiles what they share twice.
test: lint ## set up, lint, build everything, run every test
	$(CARGO) build --locked --workspace --bins --tests --features trainer/libtorch
	@sync # gigabytes that were just built: the servers of the tests would wait for them with every message that they sync
	$(CARGO) test --locked --workspace --features trainer/libtorch --no-fail-fast

demo: toolchain ## a whole system for a quarter of a minute: data, a training, a prediction; leaves nothing running
	@infra/setup nats
	@[ -x '$(BIN)/ktrdr-trainer' ] || echo 'building everything once, 5 to 10 minutes on two cores; then the demo, a quarter of a minute'
	$(CARGO) build --locked --workspace --bins
	@KTRDR_BIN_DIR='$(BIN)' infra/demo

clean-demo: ## forget what the demo stored
	rm -rf .demo

bench: setup ## measure what ARCHITECTURE.md promises
	$(CARGO) bench --locked --workspace --features trainer/libtorch

dist: toolchain ## archives and images of a release for Linux on x86-64, with checksums and lists of parts, in dist/
	@infra/setup nats
	@infra/setup libtorch
	@infra/dist/build

audit: ## licences, advisories and doubled dependencies (needs cargo-deny)
	$(CARGO) deny --locked check

FUZZ_SECONDS ?= 300
FUZZ_SEED ?= 1

fuzz: toolchain ## damaged files, answers, messages and records for FUZZ_SECONDS each (300), from FUZZ_SEED
	$(CARGO) run --locked -p store --example fuzz_files -- --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	$(CARGO) run --locked -p fetcher --example fuzz_answers -- json --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	$(CARGO) run --locked -p fetcher --example fuzz_answers -- tws --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	KTRDR_FUZZ_ROUNDS=$$((1000 * $(FUZZ_SECONDS))) KTRDR_FUZZ_SEED=$(FUZZ_SEED) $(CARGO) test --locked -p schemas --test it message_fuzz -- --nocapture

chaos: setup ## every fault of docs/faults.md, half an hour or more: what was tried, and the figures as a table
	$(CARGO) build --locked --workspace --bins --tests --features trainer/libtorch
	SANDBOX_LONG=1 $(CARGO) test --locked --workspace --features trainer/libtorch --no-fail-fast --tests -- --exact $$(grep -o 'tests/[a-z_/]*\.rs::[a-z0-9_]*' docs/faults.md | sed 's#^tests/\(it\|tests/[a-z]*\)/##; s#\.rs##; s#/#::#g' | sort -u)
	SANDBOX_LONG=1 $(CARGO) test --locked --quiet --workspace --features trainer/libtorch --test chaos -- --nocapture every_row_has_figures
