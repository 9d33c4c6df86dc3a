#!/usr/bin/env bash
# usage: screenshots.sh YINGDA - pictures of the main pages of a demo hub with its traffic: all of them into
# tests/run/screenshots/, those that the documents show into docs/screenshots/.
set -euo pipefail
cd "$(dirname "$0")/.."
yingda=$1
all=$PWD/tests/run/screenshots
shown=(
    login-zh-CN-light-phone queue-zh-CN-light-desk ticket-zh-CN-light-desk ticket-en-dark-desk composer-en-light-desk
    call-zh-CN-light-desk call-en-dark-tablet desk-answer-zh-CN-light-phone desk-en-dark-desk health-en-dark-desk
    admin-en-light-desk form-zh-CN track-zh-CN
)
data=$(mktemp -d)
rm -rf "$all" && mkdir -p "$all" docs/screenshots
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
"$yingda" serve --demo --demo-traffic --data "$data" --listen "127.0.0.1:$port" >"$data/hub.log" 2>&1 &
hub=$!
trap 'kill "$hub"; wait "$hub" || true; rm -rf "$data"' EXIT
until curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"; do
    kill -0 "$hub" || { cat "$data/hub.log" >&2; exit 1; }
    sleep 0.2
done
ARGUMENTS=$(node -e '
    const { staff, sms } = JSON.parse(require("fs").readFileSync(process.argv[1]));
    console.log(JSON.stringify({ staff, secret: sms.demo.secret, folder: process.argv[2] }));
' "$data/demo-credentials.json" "$all") BASE_URL="http://127.0.0.1:$port" node tests/e2e/screenshots.mjs
for name in "${shown[@]}"; do cp "$all/$name.png" docs/screenshots/; done
du -sh docs/screenshots
