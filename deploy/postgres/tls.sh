#!/bin/bash
# Gives PostgreSQL its certificate: its account must own the private key, which the program `keys` writes under another one.
# With the argument `reload` the running server takes a renewed certificate.
set -euo pipefail
install -o postgres -g postgres -m 0600 /tls/tls.key /tls/tls.pem /var/lib/postgresql/
if [ "${1:-}" = reload ]; then exec kill -HUP 1; fi
# Only root may read it. It is set when the data directory is created.
POSTGRES_PASSWORD=$(cat /docker-entrypoint-initdb.d/superuser.password)
export POSTGRES_PASSWORD
exec docker-entrypoint.sh "$@"
