#!/usr/bin/env bash
# The packages in a machine with a real systemd: installed, used, upgraded, downgraded, removed and purged.
#
#   tests/packages/install.sh BEFORE NOW      directories with the packages of two versions
#
# A simulated fleet of the package ilo-sim runs in the same machine, which has a network of its own. It needs root and what
# tests/systemd/boot.sh needs, and curl, rpm and python3.
set -euo pipefail
before=$(realpath "${1:?the directory with the older packages}")
now=$(realpath "${2:?the directory with the newer packages}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly boot=$PWD/tests/systemd/boot.sh
work=$(mktemp -d)
trap 'ended $?' EXIT

ended() {  # CODE
    if (( $1 != 0 )); then show; fi
    "$boot" stop "$work/machine" || true
    rm -rf "$work"
    exit "$1"
}

inside() { "$boot" exec "$work/machine" "$@"; }
put() { "$boot" put "$work/machine" "$@"; }
step() { echo "install.sh: $*"; }
die() { echo "install.sh: $*" >&2; exit 1; }

# What a person would look at.
show() {
    inside systemctl status --no-pager --lines=0 ilo-reaper >&2 || true
    inside journalctl --no-pager --lines=40 -u ilo-reaper -u ilo-sim >&2 || true
}

expect() {  # WHAT EXPECTED COMMAND…
    local found
    found=$("${@:3}" 2>&1) || true
    [[ $found == "$2" ]] || die "$1: expected '$2', found '$found'"
}

# A fact that comes to be true, within 20 s.
await() {  # WHAT COMMAND…
    local try
    for (( try = 0; try < 200; try++ )); do
        if "${@:2}" > /dev/null 2>&1; then return; fi
        sleep 0.1
    done
    die "$1: not within 20 s"
}

keeps_record() {
    expect "the record" "of before" state "print(*[row[0] for row in state.execute('SELECT why FROM deletions')])"
}
is() { inside systemctl "is-$1" ilo-reaper; }
modes() { inside stat -c '%a %U %G %n' "$@"; }
# What they say is kept for the case that they fail. Patterns are of files inside.
dpkg_inside() { inside sh -c "dpkg $*" > "$work/dpkg" 2>&1 || die "dpkg: $(< "$work/dpkg")"; }
rpm_inside() { inside sh -c "rpm $*" 2> "$work/rpm" || die "rpm: $(< "$work/rpm")"; }
state() {  # PYTHON: what it says of the database `state`
    inside python3 -c "import sqlite3; state = sqlite3.connect('/var/lib/ilo-reaper/state.db'); $1; state.commit()"
}
sessions_at() {  # ADDRESS: how many it has, not counting the one that asks
    inside curl -sku admin:secret "https://$1/redfish/v1/SessionService/Sessions/?\$expand=." \
        | python3 -c 'import json, sys; print(sum(m["UserName"] != "admin" for m in json.load(sys.stdin)["Members"]))'
}
has_held() { (( $(sessions_at 127.0.1.1) == 1 && $(sessions_at 127.0.1.2) == 1 )); }
log_has() { inside journalctl --no-pager -o cat -u ilo-reaper | grep -q "$1"; }

# --- A fleet ---

start_fleet() {
    printf 'admin:secret\nsvc-ilo-reaper:s3cret\n' > "$work/accounts"
    put "$work/accounts" /root/accounts
    inside systemd-run --quiet --unit=ilo-sim ilo-sim --ilos 127.0.1.1-2 --accounts /root/accounts --log /root/requests
    await "the simulated iLOs answer" sessions_at 127.0.1.2
}

# As README.md tells it.
configure() {
    printf s3cret | inside install -m 400 -o ilo-reaper -g ilo-reaper /dev/stdin /etc/ilo-reaper/secrets/rack-1
    printf 'fleet:\n  rack-1:\n    username: svc-ilo-reaper\n    password_file: /etc/ilo-reaper/secrets/rack-1\n    ilos: 127.0.1.[1-2]\n' \
        > "$work/fleet.yaml"
    put "$work/fleet.yaml" /etc/ilo-reaper/conf.d/fleet.yaml
    inside sed -i 's/^  every: 1m /  every: 1s /; s/^  fastest: 5s /  fastest: 1s /' /etc/ilo-reaper/ilo-reaper.yaml
    inside ilo-reaper trust --write > /dev/null 2>&1
}

# --- Debian's ---

installed() {
    step "dpkg -i: known, disabled, and nothing runs"
    dpkg_inside -i "$1"
    expect "enabled" disabled is enabled
    expect "active" inactive is active
    expect "the preset" disabled inside sh -c 'systemctl preset ilo-reaper 2> /dev/null; systemctl is-enabled ilo-reaper'
    expect "the user" "ilo-reaper:*:/var/lib/ilo-reaper:/usr/sbin/nologin" \
        inside sh -c 'getent passwd ilo-reaper | sed -E "s/:x:[0-9]+:[0-9]+:[^:]*:/:*:/"'
    expect "directories" "755 root root /etc/ilo-reaper
755 root root /etc/ilo-reaper/conf.d
755 root root /etc/ilo-reaper/secrets
644 root root /etc/ilo-reaper/ilo-reaper.yaml
700 ilo-reaper ilo-reaper /var/lib/ilo-reaper" modes /etc/ilo-reaper{,/conf.d,/secrets,/ilo-reaper.yaml} /var/lib/ilo-reaper
    expect "the page" 0 inside sh -c 'man -w ilo-reaper ilo-reaper.yaml ilo-sim > /dev/null; echo $?'

    step "without a fleet it says so, and does not start"
    expect "check" 78 inside sh -c 'ilo-reaper check > /dev/null 2>&1; echo $?'
    inside ilo-reaper check > "$work/check" 2>&1 || true
    grep -q 'there is no .fleet.' "$work/check" || die "check says something else: $(< "$work/check")"
    ! inside systemctl start ilo-reaper 2> /dev/null || await "it fails" is failed
    expect "how it ended" 78 inside systemctl show -P ExecMainStatus ilo-reaper
    expect "how often it was tried again" 0 inside systemctl show -P NRestarts ilo-reaper
    inside systemctl reset-failed ilo-reaper
}

started() {
    step "with a fleet it starts, and holds a session on each iLO"
    start_fleet
    configure
    expect "check" "good (iLOs: 2, groups: 1)" inside sh -c 'ilo-reaper check | sed "s/.*: good/good/"'
    inside systemctl enable --quiet --now ilo-reaper
    await "a session on each iLO" has_held
    await "its state" inside test -s /var/lib/ilo-reaper/state.db
    expect "the state" "600 ilo-reaper ilo-reaper /var/lib/ilo-reaper/state.db" modes /var/lib/ilo-reaper/state.db
    inside systemctl stop ilo-reaper
    expect "sessions after a stop" "0 0" echo "$(sessions_at 127.0.1.1) $(sessions_at 127.0.1.2)"
    # Something to be kept: a row of the record.
    state "state.execute('INSERT INTO deletions (at_s, ilo, group_name, session, kind, user_type, rule, why, used) \
        VALUES (0, \'127.0.1.1\', \'rack-1\', \'old\', \'rest\', \'local\', \'some\', \'of before\', 3)')"
    inside systemctl start ilo-reaper
    await "a session on each iLO" has_held
}

upgraded() {
    step "an upgrade restarts it, and keeps state and configuration"
    local pid id
    pid=$(inside systemctl show -P MainPID ilo-reaper)
    id=$(inside stat -c %i /var/lib/ilo-reaper/state.db)
    dpkg_inside -i "$1"
    expect "active" active is active
    expect "enabled" enabled is enabled
    [[ $(inside systemctl show -P MainPID ilo-reaper) != "$pid" ]] || die "the old program runs on"
    await "a session on each iLO" has_held
    expect "the state" "$id" inside stat -c %i /var/lib/ilo-reaper/state.db
    keeps_record
    ! log_has 'event=state.reset' || die "the state was lost"
    inside grep -q '^  every: 1s ' /etc/ilo-reaper/ilo-reaper.yaml || die "the configuration was replaced"

    step "an upgrade of one that is stopped leaves it stopped"
    inside systemctl stop ilo-reaper
    # As the version before pauses and protections left it.
    state "state.executescript('DROP TABLE pause; DROP TABLE protections; DROP TABLE jumps; DROP TABLE slow_clocks; DROP TABLE known_uses; DROP TABLE named_once; DROP TABLE last_looks; PRAGMA user_version = 2')"
    dpkg_inside -i "$1"
    expect "active" inactive is active

    step "the state of an older version is taken over with all that is in it"
    inside systemctl start ilo-reaper
    await "a session on each iLO" has_held
    expect "the version of the tables" 7 state "print(state.execute('pragma user_version').fetchone()[0])"
    keeps_record
    ! log_has 'event=state.reset' || die "the state was lost"
    inside ilo-reaper pause --reason upgraded > /dev/null
    inside ilo-reaper resume > /dev/null
    inside systemctl stop ilo-reaper
}

downgraded() {
    step "an older program refuses the state of a newer one, and leaves it as it is"
    local version sum
    version=$(state "print(state.execute('pragma user_version').fetchone()[0])")
    state "state.execute('pragma user_version = $(( version + 1 ))')"
    dpkg_inside -i "$1"
    sum=$(inside sha256sum /var/lib/ilo-reaper/state.db)
    inside systemctl start ilo-reaper 2> /dev/null || true
    await "it is said" log_has "cannot use the state: a newer ilo-reaper wrote /var/lib/ilo-reaper/state.db (version $(( version + 1 )), this one knows $version): install that one again"
    expect "the state" "$sum" inside sha256sum /var/lib/ilo-reaper/state.db
    inside systemctl stop ilo-reaper
    state "state.execute('pragma user_version = $version')"
    inside systemctl reset-failed ilo-reaper || true
    inside systemctl start ilo-reaper
    await "a session on each iLO" has_held
    keeps_record
}

removed() {
    step "removing stops it and logs out; configuration and state stay"
    dpkg_inside -r ilo-reaper
    expect "sessions" "0 0" echo "$(sessions_at 127.0.1.1) $(sessions_at 127.0.1.2)"
    inside test -s /var/lib/ilo-reaper/state.db || die "the state is gone"
    inside test -s /etc/ilo-reaper/known_ilos || die "known_ilos is gone"
    inside test -s /etc/ilo-reaper/ilo-reaper.yaml || die "the configuration is gone"
    ! inside systemctl cat ilo-reaper > /dev/null 2>&1 || die "the unit is still known"

    step "purging takes state, passwords and certificates, and leaves what others wrote"
    dpkg_inside -P ilo-reaper
    expect "what is left" "/etc/ilo-reaper
/etc/ilo-reaper/conf.d
/etc/ilo-reaper/conf.d/fleet.yaml" inside sh -c 'find /etc/ilo-reaper /var/lib/ilo-reaper 2> /dev/null | sort'
    inside rm -r /etc/ilo-reaper

    step "purging takes a state that was moved to another disk, and nothing else that is there"
    dpkg_inside -i '/root/now/ilo-reaper_*.deb'
    inside sh -c 'cd /srv && mkdir disk && touch disk/state.db disk/state.db-wal disk/state.db.bad-1 disk/lock disk/others.db
        rm -r /var/lib/ilo-reaper && ln -s /srv/disk /var/lib/ilo-reaper'
    dpkg_inside -P ilo-reaper
    expect "what is left" "/srv/disk
/srv/disk/others.db" inside sh -c 'find /srv /var/lib/ilo-reaper -mindepth 1 2> /dev/null | sort'
}

# --- RPM's: its scripts are the same everywhere, what they need is there too ---

as_rpm() {
    step "rpm -i: known, disabled, and nothing runs"
    rpm_inside -i --nodeps '/root/before/ilo-reaper-*.rpm'
    # Debian's rpm always advises against itself.
    expect "what it said" "" sed '/^rpm: /d' "$work/rpm"
    expect "enabled" disabled is enabled
    expect "active" inactive is active
    expect "the state" "700 ilo-reaper ilo-reaper /var/lib/ilo-reaper" modes /var/lib/ilo-reaper
    configure
    inside systemctl enable --quiet --now ilo-reaper
    await "a session on each iLO" has_held

    step "rpm -U restarts it and keeps the state; rpm -e stops it and keeps it too"
    local pid id
    pid=$(inside systemctl show -P MainPID ilo-reaper)
    id=$(inside stat -c %i /var/lib/ilo-reaper/state.db)
    rpm_inside -U --nodeps '/root/now/ilo-reaper-*.rpm'
    expect "active" active is active
    [[ $(inside systemctl show -P MainPID ilo-reaper) != "$pid" ]] || die "the old program runs on"
    await "a session on each iLO" has_held
    expect "the state" "$id" inside stat -c %i /var/lib/ilo-reaper/state.db
    rpm_inside -e ilo-reaper
    expect "sessions" "0 0" echo "$(sessions_at 127.0.1.1) $(sessions_at 127.0.1.2)"
    inside test -s /var/lib/ilo-reaper/state.db || die "the state is gone"
    expect "what wants it" "" inside sh -c 'ls /etc/systemd/system/*.wants/ilo-reaper.service 2> /dev/null'
}

step "boot: $(NETNS=1 "$boot" start "$work/machine")"
# It does not see this machine's /tmp, where they may be.
for file in "$before"/*; do put "$file" "/root/before/${file##*/}"; done
for file in "$now"/*; do put "$file" "/root/now/${file##*/}"; done
# Where this machine is a container, it may forbid packages to touch services.
inside rm -f /usr/sbin/policy-rc.d
installed '/root/before/*.deb'
started
upgraded '/root/now/ilo-reaper_*.deb'
downgraded '/root/before/ilo-reaper_*.deb'
removed
as_rpm
step "good, after $SECONDS s"
