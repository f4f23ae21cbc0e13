#!/usr/bin/env bash
# HPE's own client, unmodified, against simulated iLOs: without the daemon and with it.
#
#   tests/interop/ilorest.sh [bare] [guarded] [observed]     all three when none is named
#
# ILO_REAPER_PROFILE=release         builds with this cargo profile (debug)
# ILO_REAPER_BIN=FILE                takes this daemon instead of building one
# ILO_REAPER_INTEROP_ROUNDS=N        logs in N times as often as the guarded table has places (3)
#
# What it wrote stays in target/interop/run: the simulator's request log, the daemon's events and configuration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly ILOREST=7.4.0.0
readonly target=${CARGO_TARGET_DIR:-target}
readonly venv=$target/interop/venv
readonly profile=${ILO_REAPER_PROFILE:-debug}

# ilorest can log out of port 443 only: it mangles the location of its session on any other.
if (( $(id -u) != 0 )) && (( $(< /proc/sys/net/ipv4/ip_unprivileged_port_start) > 443 )); then
    echo "ilorest.sh: the simulated iLOs listen on port 443, which takes root here: run it as root, or allow it with" \
        "sysctl net.ipv4.ip_unprivileged_port_start=443" >&2
    exit 1
fi

has_ilorest() {
    "$venv/bin/python" - <<PYTHON 2> "$target/interop/venv.log"
import importlib.metadata
assert importlib.metadata.version("ilorest") == "$ILOREST"
PYTHON
}

mkdir -p "$target/interop"
if ! has_ilorest; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "ilorest==$ILOREST"
fi

build=(cargo build --quiet --workspace --bins)
if [[ $profile != debug ]]; then build+=(--profile "$profile"); fi
"${build[@]}"

exec "$venv/bin/python" tests/interop/ilorest.py \
    --ilorest "$venv/bin/ilorest" \
    --simulator "$target/$profile/ilo-sim" \
    --daemon "${ILO_REAPER_BIN:-$target/$profile/ilo-reaper}" \
    --rounds "${ILO_REAPER_INTEROP_ROUNDS:-3}" \
    --run "$target/interop/run" \
    "$@"
