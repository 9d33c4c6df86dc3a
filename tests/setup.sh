#!/usr/bin/env bash
# Prepares the machine for the integration tests: real counterpart servers (apt), Python peers (PyPI), browser driver (npm).
# Idempotent: looks first, installs only what is missing, starts no daemon. Needs Debian 12 (or a kin) and root only when
# Debian packages are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

run=tests/run
venv=$run/venv
mkdir -p "$run"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# package and a file by which its presence is seen, so that a warm run asks no package database
packages=(
    "kannel /usr/sbin/bearerbox"
    "dovecot-imapd /usr/lib/dovecot/imap"
    "dovecot-lmtpd /usr/lib/dovecot/lmtp"
    "opensmtpd /usr/sbin/smtpd"
    "postgresql-15 /usr/lib/postgresql/15/bin/initdb"
    "chromium /usr/bin/chromium"
    "fonts-noto-cjk /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
)
missing=()
for entry in "${packages[@]}"; do
    read -r package file <<<"$entry"
    [ -e "$file" ] || missing+=("$package")
done
command -v openssl >/dev/null || missing+=(openssl)
command -v unshare >/dev/null || missing+=(util-linux)
command -v python3 >/dev/null || missing+=(python3)
if [ ! -x "$venv/bin/python" ] && ! python3 -c 'import ensurepip' 2>/dev/null; then
    missing+=(python3-venv)
fi

if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null \
        || fail "these Debian packages are missing and there is no apt-get here; install their like: ${missing[*]}"
    [ "$(id -u)" = 0 ] \
        || fail "run as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    # The packages would start their daemons on the default ports; the tests start their own on free ones.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.conf
    fi
    log=$run/apt.log
    if ! { apt-get -qq update && apt-get -qq install -y --no-install-recommends \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${missing[@]}"; } \
        </dev/null >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        fail "apt-get failed; the whole output is in $log"
    fi
    for entry in "${packages[@]}"; do
        read -r package file <<<"$entry"
        [ -e "$file" ] || fail "$package is installed, yet $file is not there"
    done
fi

wanted=$(cat tests/requirements.txt)
if [ "$(cat "$venv/installed.txt" 2>/dev/null)" != "$wanted" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    say "installing Python peers into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/requirements.txt </dev/null
    printf '%s\n' "$wanted" >"$venv/installed.txt"
fi

node_major=$(node --version 2>/dev/null | sed 's/^v//; s/\..*//' || true)
[ "${node_major:-0}" -ge 20 ] || fail "Node.js 20 or newer is needed for the browser tests (https://nodejs.org/)"
command -v npm >/dev/null || fail "npm is needed for the browser tests (it comes with Node.js)"
lock=tests/e2e/package-lock.json
if ! cmp -s "$lock" tests/e2e/node_modules/installed-lock.json; then
    say "installing the browser driver into tests/e2e/node_modules"
    (cd tests/e2e && npm ci --silent --ignore-scripts --no-audit --no-fund </dev/null)
    cp "$lock" tests/e2e/node_modules/installed-lock.json
fi

say "ready"
