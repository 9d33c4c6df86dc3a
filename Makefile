# Yingda's front door: `make run`, `make test`. Each target says what it does; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test setup fmt lint bench corpus fuzz console screenshots

LISTEN ?= 127.0.0.1:8080
DATA ?= ./data
ARGS ?=

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## builds the release binary and starts the demo city; ARGS passes options, e.g. ARGS=--demo-traffic
	@tests/toolchain.sh
	@console/build.sh build
	cargo build --release --locked --bin yingda
	exec target/release/yingda serve --demo --data $(DATA) --listen $(LISTEN) $(ARGS)

console: ## builds the staff console, which the next cargo build takes into the program
	@tests/toolchain.sh
	@console/build.sh build

screenshots: ## pictures of the main pages into docs/screenshots/, from a demo hub with its traffic
	@tests/toolchain.sh
	@tests/setup.sh
	@console/build.sh build
	cargo build --locked --bin yingda
	tests/screenshots.sh "$${CARGO_TARGET_DIR:-target}/debug/yingda"

setup: ## installs what the integration tests need and is missing
	@tests/setup.sh

test: ## setup, format, lints, every test; prints each stage's time
	@tests/toolchain.sh
	@tests/stage.sh setup tests/setup.sh
	@tests/stage.sh fmt cargo fmt --all --check
	@tests/stage.sh console console/build.sh check
	@tests/stage.sh clippy cargo clippy --workspace --all-targets --locked -- -D warnings
	@tests/stage.sh test cargo test --workspace --locked
	@tests/stage.sh postgres tests/postgres.sh cargo test --workspace --locked --lib -- http::

lint: ## clippy over everything, warnings are errors; cargo-deny where it is installed
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; else echo "lint: cargo-deny is not installed, licences and advisories not checked"; fi

fmt: ## formats the code
	cargo fmt --all

bench: ## load and comparison figures; never part of the tests
	@tests/toolchain.sh
	@tests/setup.sh
	@console/build.sh build
	cargo build --release --locked -p yingda -p yingda-load
	target/release/load
	cargo bench --locked -p routing-rules --bench '*'
	cargo run --release --locked --manifest-path routing-rules/benches/speed/Cargo.toml --target-dir target/speed

corpus: ## figures on real data beside the repository, where it is there
	@tests/toolchain.sh
	cargo run --release --locked -p yingda-load --bin corpus

fuzz: ## fuzzes the loader and the matcher of rule packs, ten minutes each; needs a nightly compiler and cargo-fuzz
	cd routing-rules/fuzz && for target in loader matcher; do cargo +nightly fuzz run --target-dir ../../target/fuzz $$target -- -max_total_time=600 -timeout=20; done
