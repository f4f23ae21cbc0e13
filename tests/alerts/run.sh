#!/usr/bin/env bash
# Alerts, from what happens on a simulated iLO to the notification that somebody gets, through the programs that shops run.
#
#   tests/alerts/run.sh [STORY…]           all when none is named
#
#   from_metrics   the daemon's own metrics, Prometheus with the shipped rules, Alertmanager, a webhook; the dashboard's queries
#   from_log       the journal under a real systemd: rsyslog straight to Alertmanager; mtail and Prometheus; a unit of systemd
#                  (needs root)
#
# Before them what is shipped in config/alerts is checked by promtool, amtool and mtail, each rule against its tests. Needs the
# Debian packages prometheus, prometheus-alertmanager, python3-prometheus-client, mtail, rsyslog and curl.
#
# ILO_REAPER_BIN=FILE                takes this daemon instead of building one
#
# What it wrote stays in target/alerts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly target=${CARGO_TARGET_DIR:-target}
readonly shipped=config/alerts

# --- What is shipped, by itself ---

promtool check rules "$shipped"/*.rules.yml > /dev/null
promtool check config --syntax-only "$shipped/prometheus.yml" > /dev/null
amtool check-config "$shipped/alertmanager.yml" > /dev/null
promtool test rules tests/alerts/*.test.yml
for alert in $(sed -n 's/^ *- alert: //p' "$shipped"/*.rules.yml); do
    grep -q "alertname=\"$alert\"" tests/alerts/*.test.yml || { echo "run.sh: no test fires $alert" >&2; exit 1; }
done
# Each leads to its entry in the runbook. That of any event of the log leads to the runbook as a whole.
for rules in "$shipped"/*.rules.yml; do
    alerts=$(grep -c '^ *- alert: ' "$rules") links=$(grep -c '^ *runbook_url: ' "$rules")
    (( alerts == links )) || { echo "run.sh: $rules has $alerts alerts and $links links to the runbook" >&2; exit 1; }
    for link in $(sed -n 's/^ *runbook_url: "\(.*\)"$/\1/p' "$rules"); do
        [[ $link == file:///usr/share/doc/ilo-reaper/runbook.md?(#*) ]] || { echo "run.sh: $link is not the runbook" >&2; exit 1; }
        if [[ $link != *#* ]]; then continue; fi
        sed -n 's/^##* //p' config/runbook.md | tr -d . | grep -qx "${link#*#}" ||
            { echo "run.sh: $rules leads to #${link#*#}, and the runbook has no such entry" >&2; exit 1; }
    done
done
# With a log that it can't read, mtail never ends. It names its program in each label, and the time of a line is now.
timeout 60 mtail -one_shot -one_shot_format prometheus -progs "$shipped/ilo-reaper.mtail" -logs tests/alerts/mtail.log \
    2> /dev/null | sed -n 's/,\{0,1\}prog="ilo-reaper.mtail"//; s/{}//; s/\(_timestamp_seconds\) .*/\1 NOW/; /^[^#]/p' |
    diff tests/alerts/mtail.metrics -

# --- From an iLO to a notification ---

cargo build --quiet --workspace --bins
exec python3 -B tests/alerts/main.py \
    --simulator "$target/debug/ilo-sim" \
    --daemon "${ILO_REAPER_BIN:-$target/debug/ilo-reaper}" \
    --run "$target/alerts" \
    "$@"
