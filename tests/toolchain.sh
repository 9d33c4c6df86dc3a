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
node_version=$(node --version 2>/dev/null | sed 's/^v//' || true)
# What Vite asks for.
if [ "$(printf '%s\n' 20.19 "${node_version:-0}" | sort -V | head -n 1)" != 20.19 ] || ! command -v npm >/dev/null; then
    missing "Node.js 20.19 or newer with npm, found ${node_version:-none} (the staff console is built with it)" \
        "install it from https://nodejs.org or as the package nodejs of your system; cargo build alone works without, then without the console"
fi
exit $problems
