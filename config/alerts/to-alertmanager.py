#!/usr/bin/python3
"""Turns events of ilo-reaper into alerts: an object of JSON a line on standard input, for rsyslog's omprog (see rsyslog.conf).

to-alertmanager.py URL          where Alertmanager is, http://127.0.0.1:9093 say

Each event of priority warning and worse becomes an alert of the same name. One that tells of an end resolves what it ends. That may
never come, for a restart or an event for many iLOs may come in between, so each alert ends by itself too: some time after it should
have been told again, if it lasted. Each line is answered with OK, or with why it was not taken.
"""

import json
import sys
import urllib.request
from datetime import datetime, timedelta, timezone

WARNING = 4
RUNBOOK = "file:///usr/share/doc/ilo-reaper/runbook.md"
SEVERITIES = {2: "page", 3: "ticket", 4: "info"}  # by syslog's priority

# What each of these events ends.
ENDS = {
    "ilo.relieved": ["ilo.near_limit", "ilo.critical", "ilo.full", "ilo.blocked"],
    "ilo.reachable": ["ilo.unreachable"],
    "credential.restored": ["credential.suspended"],
    "state.writable": ["state.unwritable"],
    "config.reloaded": ["config.rejected"],
    "daemon.ready": ["config.rejected"],
    "daemon.resumed": ["state.reset"],
}
# These are told again while they last, each `report: { remind: 1h }`, and with the next visit after that, which comes eleven
# minutes later at most. If yours is longer than 1h, let this be twice as long as yours.
REMINDED = timedelta(hours=2)
# These are told once, or at the next start.
UNTIL_ITS_END = timedelta(days=1)
LASTS = {
    **dict.fromkeys(ENDS["ilo.relieved"], REMINDED),
    "ilo.unreachable": REMINDED,
    "ilo.certificate_changed": REMINDED,
    "ilo.duplicate": REMINDED,
    "credential.suspended": REMINDED,
    "state.unwritable": REMINDED,
    "config.rejected": UNTIL_ITS_END,
    "ilo.delete_forbidden": UNTIL_ITS_END,
    "visit.broken": UNTIL_ITS_END,
    # Nothing is deleted until a person resumes. It is told again at each start, and there may be none for long.
    "state.reset": timedelta(days=7),
    # A client that goes on is told of once a day, with the next session that it abandons.
    "leaker.found": timedelta(hours=26),
}
OTHERWISE = timedelta(hours=1)
# A rejected password is tried again, and told of again, when the event says: with the first visit after that.
NEXT_TRY = timedelta(minutes=30)
# Who takes the brake off where it ends by itself. That a state was lost only a person can end.
BY_TIME = "its time"


def labels_of(event):
    """What tells this trouble from others of its name. An end has what its beginning had."""
    keys = ["ilo", "group", "credential"]
    if event["event"] == "leaker.found":
        keys += ["owner", "origin"]
    return {key: event[key] for key in keys if event.get(key)}


def lasts(event):
    if event["event"] == "ilo.login_rejected" and event.get("retry_in_s"):
        return timedelta(seconds=int(event["retry_in_s"])) + NEXT_TRY
    return LASTS.get(event["event"], OTHERWISE)


def alerts(event, now):
    """What Alertmanager is to be told of an event."""
    name, priority, labels = event["event"], int(event["priority"]), labels_of(event)
    ends = [] if event.get("by") == BY_TIME else ENDS.get(name, [])
    for ended in ends:
        for severity in SEVERITIES.values():
            # An alert is named by all of its labels. It must have begun before it ends.
            yield {
                "labels": {"alertname": ended, "severity": severity, **labels},
                "startsAt": (now - timedelta(seconds=1)).isoformat(),
                "endsAt": now.isoformat(),
            }
    if priority <= WARNING and name not in ENDS:
        yield {
            "labels": {"alertname": name, "severity": SEVERITIES.get(priority, "page"), **labels},
            "annotations": {
                "summary": event["message"].partition(" event=")[0],
                "runbook_url": f"{RUNBOOK}#{name.replace('.', '')}",
            },
            "startsAt": now.isoformat(),
            "endsAt": (now + lasts(event)).isoformat(),
        }


def tell(url, told):
    body = json.dumps(told).encode()
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=5).close()


def main(url):
    print("OK", flush=True)  # omprog: it has started
    for line in sys.stdin:
        try:
            told = list(alerts(json.loads(line), datetime.now(timezone.utc)))
        except (ValueError, KeyError):
            told = []  # trying again would not make it better
        try:
            if told:
                tell(url, told)
        except OSError as error:
            print(f"not told: {error}", flush=True)
        else:
            print("OK", flush=True)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
