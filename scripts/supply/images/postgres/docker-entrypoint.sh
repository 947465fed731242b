#!/bin/sh
# Create the data folder on the first start, then run the server. The variables are those of the
# official image.
set -eu

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?POSTGRES_PASSWORD must be set on the first start}"
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    # Create it beside its place, then move it: an interrupted start leaves nothing half-made.
    fresh=$PGDATA.new
    rm -rf "$fresh"
    password=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" >"$password"
    initdb --pgdata="$fresh" --username="$user" --pwfile="$password" --encoding=UTF8 \
        --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256
    rm -f "$password"
    {
        echo "listen_addresses = '*'"
        echo "unix_socket_directories = '/var/run/postgresql'"
    } >>"$fresh/postgresql.conf"
    echo 'host all all all scram-sha-256' >>"$fresh/pg_hba.conf"
    if [ "$database" != postgres ]; then
        echo "CREATE DATABASE \"$database\" OWNER \"$user\";" |
            postgres --single -D "$fresh" postgres >/dev/null
    fi
    rm -rf "${PGDATA:?}"
    mv "$fresh" "$PGDATA"
fi
exec "$@"
