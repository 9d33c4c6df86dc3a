#!/usr/bin/env bash
# usage: stage.sh NAME COMMAND... - runs one stage of `make test`, then prints its time and, where it ran tests, their sum.
set -uo pipefail
cd "$(dirname "$0")/.."
name=$1
shift
mkdir -p tests/run
log=tests/run/stage-$name.log
printf '== %s\n' "$name"
started=$SECONDS
"$@" 2>&1 | tee "$log"
code=${PIPESTATUS[0]}
awk '
    /^test result:/ { runs += 1; passed += $4; failed += $6; ignored += $8 }
    END { if (runs) printf "tests: %d passed, %d failed, %d ignored\n", passed, failed, ignored }
' "$log"
printf '== %s: %d s, %s\n' "$name" $((SECONDS - started)) "$([ "$code" = 0 ] && echo ok || echo "failed with $code")"
exit "$code"
