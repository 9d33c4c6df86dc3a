#!/usr/bin/env bash
# Says exactly what is missing for a build, before cargo does so less clearly.
set -euo pipefail
cd "$(dirname "$0")/.."
problems=0
missing() { printf 'missing: %s\n  %s\n' "$1" "$2" >&2; problems=1; }

channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
if ! command -v cargo >/dev/null; then
    missing "Rust $channel" "install rustup from https://rustup.rs; it then fetches $channel by itself (rust-toolchain.toml)"
elif ! cargo --version >/dev/null 2>&1; then
    missing "Rust $channel" "rustup toolchain install $channel --component rustfmt --component clippy"
fi
command -v cc >/dev/null || missing "a C compiler (for the bundled SQLite)" "apt-get install -y --no-install-recommends gcc libc6-dev"
exit $problems
