#!/usr/bin/env bash
# usage: postgres.sh COMMAND... - runs a command beside a PostgreSQL cluster of its own, which ends with it.
# The command finds it in YINGDA_TEST_POSTGRES, an address without a database.
set -euo pipefail
programs=/usr/lib/postgresql/15/bin
data=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then
    # The server refuses to run as root.
    chown postgres "$data"
    as=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi
server=
end() {
    if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$data"
}
trap end EXIT
cd "$data"
"${as[@]}" "$programs/initdb" --pgdata="$data/db" --username=yingda --auth=trust --encoding=UTF8 --locale=C.UTF-8 >"$data/initdb.log" 2>&1 \
    || { cat "$data/initdb.log" >&2; exit 1; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" "$programs/postgres" -D "$data/db" -c listen_addresses=127.0.0.1 -c port="$port" -c unix_socket_directories= \
    -c max_connections=300 >"$data/server.log" 2>&1 &
server=$!
until "$programs/pg_isready" --quiet --host=127.0.0.1 --port="$port"; do
    kill -0 "$server" 2>/dev/null || { cat "$data/server.log" >&2; exit 1; }
done
cd "$OLDPWD"
YINGDA_TEST_POSTGRES=postgres://yingda@127.0.0.1:$port "$@"
