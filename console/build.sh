#!/usr/bin/env bash
# usage: build.sh build|check - builds the staff console into dist/, from where cargo takes it; `check` runs its tests as well.
# Installs its packages only when the lock has changed, builds only when a source has.
set -euo pipefail
cd "$(dirname "$0")"
say() { printf 'console: %s\n' "$*"; }

if ! cmp -s package-lock.json node_modules/installed-lock.json; then
    say "installing packages (the lock is new or has changed)"
    npm ci --silent --ignore-scripts --no-audit --no-fund </dev/null
    cp package-lock.json node_modules/installed-lock.json
fi

if [ "$1" = check ]; then
    say "types, tests, build"
    exec npm run --silent check </dev/null
fi
if [ -f dist/index.html ] && [ -z "$(find src public build openapi.json index.html package-lock.json vite.config.ts tsconfig.json \
    -newer dist/index.html -not -path src/api/schema.ts -type f -print -quit)" ]; then
    say "built already"
else
    say "building"
    npm run --silent build </dev/null
fi
