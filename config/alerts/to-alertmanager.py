#!/usr/bin/python3
"""Turns events of ilo-reaper into alerts: an object of JSON a line on standard input, for rsyslog's omprog (see rsyslog.conf).

to-alertmanager.py URL          where Alertmanager is, http://127.0.0.1:9093 say

Each event of priority warning and worse becomes an alert of the same name. One that tells of an end resolves what it ends, or
a day does, since a restart may come in between; what has no such end lasts an hour. Each line is answered with OK, or with why
it was not taken.
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
}
# These are told again while they last, once an hour unless `report: { remind: … }` says otherwise.
REMINDED = timedelta(hours=2)
UNTIL_ITS_END = timedelta(days=1)
LASTS = {name: UNTIL_ITS_END for ended in ENDS.values() for name in ended} | {name: REMINDED for name in ENDS["ilo.relieved"]}
OTHERWISE = timedelta(hours=1)


def alerts(event, now):
    """What Alertmanager is to be told of an event."""
    name, priority = event["event"], int(event["priority"])
    place = {key: event[key] for key in ("ilo", "group") if event.get(key)}
    for ended in ENDS.get(name, []):
        for severity in SEVERITIES.values():
            # An alert is named by all of its labels. It must have begun before it ends.
            yield {
                "labels": {"alertname": ended, "severity": severity, **place},
                "startsAt": (now - timedelta(seconds=1)).isoformat(),
                "endsAt": now.isoformat(),
            }
    if priority <= WARNING and name not in ENDS:
        yield {
            "labels": {"alertname": name, "severity": SEVERITIES.get(priority, "page"), **place},
            "annotations": {
                "summary": event["message"].partition(" event=")[0],
                "runbook_url": f"{RUNBOOK}#{name.replace('.', '')}",
            },
            "startsAt": now.isoformat(),
            "endsAt": (now + LASTS.get(name, OTHERWISE)).isoformat(),
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
