#!/usr/bin/env bash
# The first day, as README.md tells it: from a fresh machine with nothing but the package to the mail that a table fills up.
#
#   tests/packages/first_day.sh NOW      the directory with the packages
#
# Each command stands in README.md word for word, and is looked up there before it is run. Needs root and what
# tests/systemd/boot.sh needs, and curl. The iLO is a simulated one in the same machine, and so is the mail program.
set -euo pipefail
now=$(realpath "${1:?the directory with the packages}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly boot=$PWD/tests/systemd/boot.sh ilo=ilo-r1-u01.oob.example.net
work=$(mktemp -d)
trap 'ended $?' EXIT

ended() {  # CODE
    if (( $1 != 0 )); then inside journalctl --no-pager --lines=60 >&2 || true; fi
    "$boot" stop "$work/machine" || true
    rm -rf "$work"
    exit "$1"
}

inside() { "$boot" exec "$work/machine" "$@"; }
put() { "$boot" put "$work/machine" "$@"; }
step() { echo "first_day.sh: $*"; }
die() { echo "first_day.sh: $*" >&2; exit 1; }

# Runs a line of README.md, as root; what it says is in $work/said.
readme() {  # LINE
    grep -qF -- "$1" README.md || die "README.md does not say: $1"
    local line=${1//VERSION_ARCH/*}
    inside sh -c "cd /root && ${line//sudo /}" > "$work/said" 2>&1
}

said() {  # PATTERN
    grep -q -- "$1" "$work/said" || die "it does not say '$1': $(< "$work/said")"
}

# The block of README.md that begins with this line.
block() {  # FIRST LINE
    sed -n "/^$1\$/,/^\`\`\`\$/p" README.md | sed '/^```$/,$d'
}

log_in() { inside curl -sk -o /dev/null -w '%{http_code}\n' "https://$ilo/redfish/v1/SessionService/Sessions/" \
    -H 'content-type: application/json' -d '{"UserName":"svc-backup","Password":"s3cret"}'; }

step "boot: $(NETNS=1 "$boot" start "$work/machine")"
for file in "$now"/*.deb; do put "$file" "/root/${file##*/}"; done
# Where this machine is a container, it may forbid packages to touch services.
inside rm -f /usr/sbin/policy-rc.d

# What is there before: an iLO, and a way for mail.
inside sh -c "dpkg -i /root/ilo-sim_*.deb > /dev/null; echo 127.0.1.1 $ilo >> /etc/hosts"
printf 'svc-ilo-reaper:s3cret\nsvc-backup:s3cret\n' > "$work/accounts"
put "$work/accounts" /root/accounts
inside systemd-run --quiet --unit=ilo-sim ilo-sim --ilos 127.0.1.1 --accounts /root/accounts --limit 12
printf '#!/bin/sh\n{ cat; echo; } >> /run/mail/sent\n' > "$work/sendmail"
put "$work/sendmail" /usr/sbin/sendmail
inside sh -c 'chmod 755 /usr/sbin/sendmail; mkdir -m 1777 /run/mail'

step "install"
readme 'sudo apt install ./ilo-reaper_VERSION_ARCH.deb' || die "apt: $(< "$work/said")"

step "the account's password and the fleet"
printf s3cret | readme 'sudo install -m 400 -o ilo-reaper -g ilo-reaper /dev/stdin /etc/ilo-reaper/secrets/rack-1'
block 'fleet:' > "$work/fleet"
grep -q "$ilo" "$work/fleet" || die "README.md has another fleet: $(< "$work/fleet")"
inside sh -c 'cat >> /etc/ilo-reaper/ilo-reaper.yaml' < "$work/fleet"

step "check, trust, list"
readme 'sudo ilo-reaper check' || die "check: $(< "$work/said")"
said 'good (iLOs: 1, groups: 1)'
# It exits with 1 where something is new.
! readme 'sudo ilo-reaper trust ' || die "nothing is new: $(< "$work/said")"
said sha256:
readme 'sudo ilo-reaper trust --write' || die "trust: $(< "$work/said")"
inside grep -q "^$ilo sha256:" /etc/ilo-reaper/known_ilos
readme 'sudo ilo-reaper list ' || die "list: $(< "$work/said")"
said svc-ilo-reaper

step "start, in observe"
readme 'sudo systemctl enable --now ilo-reaper' || die "start: $(< "$work/said")"
readme 'sudo ilo-reaper status' || die "status: $(< "$work/said")"
said '1 iLOs: '

step "mail"
readme 'sudo cp /usr/share/doc/ilo-reaper/examples/alerts/ilo-reaper-mail@.service /etc/systemd/system/'
readme 'sudo systemctl enable --now ilo-reaper-mail@ilo.near_limit ilo-reaper-mail@ilo.critical ilo-reaper-mail@ilo.full ilo-reaper-mail@ilo.blocked'

step "a script logs in seven times and never out"
# All follow the journal from the moment on that they are there.
for (( try = 0; try < 100; try++ )); do
    [[ $(inside sh -c 'pgrep -c -f "journalctl --quiet --follow" || true') -ge 4 ]] && break
    sleep 0.1
done
began=$SECONDS
for (( number = 0; number < 7; number++ )); do [[ $(log_in) == 201 ]] || die "a login was refused"; done
for (( try = 0; try < 900; try++ )); do
    if inside grep -q 'Subject: ilo-reaper: ilo.near_limit' /run/mail/sent 2> /dev/null; then break; fi
    sleep 0.1
done
inside cat /run/mail/sent > "$work/said" 2> /dev/null || die "no mail came within 90 s"
said 'Subject: ilo-reaper: ilo.near_limit'
said "ilo=$ilo"
said 'top_owner=svc-backup'
step "the mail came $(( SECONDS - began )) s after the logins (an iLO is looked at once a minute)"

step "who is on, while it runs, and nobody was ended"
readme "sudo ilo-reaper list $ilo" || die "list: $(< "$work/said")"
[[ $(grep -c ' svc-backup ' "$work/said") == 7 ]] || die "list: $(< "$work/said")"
step "good, after $SECONDS s"
