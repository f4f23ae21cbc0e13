#!/usr/bin/env bash
# What each of the daemon's two TLS adapters can talk to: a table, row by row, against openssl's own server.
#
#   tests/interop/tls.sh [ROW…]        rows by a part of their name; all when none is named
#
# ILO_REAPER_BIN=FILE                takes this daemon (with the feature legacy-tls) instead of building one
#
# Certificates, configurations and outputs stay in target/interop/tls.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly target=${CARGO_TARGET_DIR:-target}

if [[ -z ${ILO_REAPER_BIN:-} ]]; then
    cargo build --quiet --features legacy-tls
fi
exec python3 tests/interop/tls.py --daemon "${ILO_REAPER_BIN:-$target/debug/ilo-reaper}" --run "$target/interop/tls" "$@"
