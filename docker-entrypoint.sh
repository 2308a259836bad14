#!/bin/sh
# Off loopback the web chat needs a password: without one of yours, make one, keep it, and show it once.
set -eu
kept=/data/web-password
if [ -z "${PAPERWIRE_WEB__PASSWORD:-}" ] && ! grep -qs '^ *password *= *"[^"]' /data/config.toml; then
  if [ ! -s "$kept" ]; then
    (umask 077 && python -c 'import secrets; print(secrets.token_urlsafe(12))' >"$kept")
    echo "The web chat's password (shown this once, kept in $kept): $(cat "$kept")"
  fi
  PAPERWIRE_WEB__PASSWORD=$(cat "$kept")
  export PAPERWIRE_WEB__PASSWORD
fi
exec "$@"
