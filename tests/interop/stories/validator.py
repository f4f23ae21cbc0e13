"""DMTF's check of the protocol, against an iLO 6."""

import csv
from pathlib import Path

from world import LEAKER, PASSWORDS, expect, expect_equal

KNOWN = Path(__file__).parent.parent / "validator-known.txt"


def known():
    """What is known to fail: the assertion and the reason."""
    lines = [line for line in KNOWN.read_text().splitlines() if line and not line.startswith("#")]
    reasons = dict(line.split(maxsplit=1) for line in lines)
    expect_equal(len(reasons), len(lines), f"assertions in {KNOWN.name}, each once")
    return reasons


def protocol(world):
    """Fails where it is known to fail, and nowhere else."""
    authority = world.run / "authority.pem"
    [ilo] = world.simulate("ilo6-1.66", options=["--site-authority", authority])
    command = ["standard", "rf_protocol_validator", "-r", ilo.url, "-u", LEAKER, "-p", PASSWORDS[LEAKER]]
    # Some of its requests heed the one and some the other. Plain HTTP is not simulated.
    trust = ["--ca-bundle", authority, "--avoid-http-redirect"]
    reports = ["--report-dir", world.run / "reports", "--report-type", "tsv"]
    done = world.programs.run(*command, *trust, *reports, within_s=300, REQUESTS_CA_BUNDLE=str(authority))
    [report] = [*(world.run / "reports").glob("*.tsv")] or [None]
    expect(report, f"it wrote no report: {done.stdout}")
    with open(report, newline="") as rows:
        results = [*csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)]
    failed = {row["Assertion"]: row for row in results if row["Result"] == "FAIL"}

    reasons = known()
    new = [f"{name}: {row['Message']}" for name, row in failed.items() if name not in reasons]
    expect(not new, "what did not fail before fails:\n" + "\n".join(new))
    gone = [name for name in reasons if name not in failed]
    expect(not gone, f"what is known to fail does not: remove it from {KNOWN.name}: {', '.join(gone)}")
    expect_equal(ilo.alive(), [], "sessions that it left")
    count = {result: sum(row["Result"] == result for row in results) for result in ("PASS", "FAIL", "NOT_TESTED")}
    expect(count["PASS"] > 150, f"it hardly looked at anything: {count}")
    return f"{count['PASS']} pass, {count['FAIL']} fail as known, {count['NOT_TESTED']} have nothing to look at here"


STORIES = [protocol]
