#!/usr/bin/env bash
# The service under a real systemd, a fresh one for each story, against simulated iLOs on loopback in the same network
# namespace. Needs root, and what boot.sh needs.
#
#   tests/systemd/run.sh [STORY…]          all when none is named; their names are in stories.py
#
# ILO_REAPER_BIN=FILE                takes this program instead of building one
# ILO_REAPER_DEB=FILE                installs this package, instead of putting the program and its files where it would
#
# Of a story that fails, the journal stays in target/systemd.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly target=${CARGO_TARGET_DIR:-target}

(( $(id -u) == 0 )) || { echo "run.sh: a systemd can be booted by root only: run it as root" >&2; exit 1; }
cargo build --quiet --workspace --bins
mkdir -p "$target/systemd"
# Each story copies them into its machine, and most of a debug build is not the program.
for program in ilo-reaper ilo-sim; do
    built=$target/debug/$program
    if [[ $program == ilo-reaper && -n ${ILO_REAPER_BIN:-} ]]; then built=$ILO_REAPER_BIN; fi
    strip --strip-debug -o "$target/systemd/$program" "$built"
done

package=()
if [[ -n ${ILO_REAPER_DEB:-} ]]; then package=(--package "$ILO_REAPER_DEB"); fi
exec python3 -B tests/systemd/main.py --programs "$target/systemd" "${package[@]}" "$@"
