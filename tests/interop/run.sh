#!/usr/bin/env bash
# Programs from elsewhere, unmodified, against simulated iLOs: without the daemon and with it.
#
#   tests/interop/run.sh [GROUP[/STORY]…]     all when none is named
#
#   ilorest     HPE's own client                         sushy       OpenStack's library
#   ilorest5    its oldest version, on an iLO 4          dmtf        DMTF's library, and programs made of it
#   ansible     community.general                        validator   DMTF's check of the protocol
#   curl        the bytes that documents and captures show
#   names       names on the network that fail, change, or mean more than one address
#
# The programs come from PyPI and stay in target/interop/venvs for the next time.
#
# ILO_REAPER_PROFILE=release         builds with this cargo profile (debug)
# ILO_REAPER_BIN=FILE                takes this daemon instead of building one
# ILO_REAPER_INTEROP_ROUNDS=N        ilorest logs in N times as often as its table has places (3)
#
# What it wrote stays in target/interop/run: the simulators' request logs, the daemons' events and configurations.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly target=${CARGO_TARGET_DIR:-target}
readonly venvs=$target/interop/venvs
readonly profile=${ILO_REAPER_PROFILE:-debug}

# Three sets, since HPE's library and DMTF's both call themselves `redfish`, and each ilorest wants its own of HPE's.
readonly ILOREST=(ilorest==7.4.0.0)
readonly ILOREST5=(ilorest==5.0.0.0 python-ilorest-library==5.0.0.0 setuptools==65.5.0)
readonly STANDARD=(
    redfish==3.4.2 redfish_utilities==3.5.2 sushy==5.14.0
    ansible-core==2.19.14 redfish-protocol-validator==1.3.2
)
# The whole of it is 20,000 files, of which one collection is wanted.
readonly ANSIBLE=ansible==12.3.0

# ilorest can log out of port 443 only: it mangles the location of its session on any other.
if (( $(id -u) != 0 )) && (( $(< /proc/sys/net/ipv4/ip_unprivileged_port_start) > 443 )); then
    echo "run.sh: the simulated iLOs listen on port 443, which takes root here: run it as root, or allow it with" \
        "sysctl net.ipv4.ip_unprivileged_port_start=443" >&2
    exit 1
fi
command -v curl > /dev/null || { echo "run.sh: curl is missing here: install it" >&2; exit 1; }

# Makes a venv with these packages, unless it is there. One that lacks its mark was given up half way.
install() {  # NAME PACKAGE…
    local venv=$venvs/$1 mark=${*:2}
    if [[ $1 == standard ]]; then mark+=" $ANSIBLE"; fi
    if [[ -f $venv/packages && $(< "$venv/packages") == "$mark" ]]; then return; fi
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
    if [[ $1 == standard ]]; then add_collection "$venv"; fi
    echo "$mark" > "$venv/packages"
}

add_collection() {  # VENV
    "$1/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$1/wheels" "$ANSIBLE"
    "$1/bin/python" - "$1"/wheels/ansible-*.whl <<'PYTHON'
import sys, sysconfig, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wanted = [name for name in wheel.namelist() if name.startswith("ansible_collections/community/general/")]
    wheel.extractall(sysconfig.get_path("purelib"), wanted)
PYTHON
    rm -r "$1/wheels"
}

# All at once: most of the time goes by waiting for the network.
mkdir -p "$venvs"
install ilorest "${ILOREST[@]}" & installs=($!)
install ilorest5 "${ILOREST5[@]}" & installs+=($!)
install standard "${STANDARD[@]}" & installs+=($!)
build=(cargo build --quiet --workspace --bins --features ilo-reaper/legacy-tls)
if [[ $profile != debug ]]; then build+=(--profile "$profile"); fi
"${build[@]}"
for install in "${installs[@]}"; do wait "$install"; done

exec python3 -B tests/interop/main.py \
    --venvs "$venvs" \
    --simulator "$target/$profile/ilo-sim" \
    --daemon "${ILO_REAPER_BIN:-$target/$profile/ilo-reaper}" \
    --rounds "${ILO_REAPER_INTEROP_ROUNDS:-3}" \
    --run "$target/interop/run" \
    "$@"
