"""The bytes that HPE's documents and captures show, as curl gets them: statuses, headers, bodies."""

import json
import re

from world import LEAKER, PASSWORDS, SESSIONS, expect, expect_equal, succeeded

CREDENTIALS = json.dumps({"UserName": LEAKER, "Password": PASSWORDS[LEAKER]})
FIFTH_ON = ["ilo5-2.46", "ilo5-3.11", "ilo6-1.66", "ilo7-1.17"]


class Answer:
    """What curl shows of an answer."""

    def __init__(self, said):
        head, _, self.text = said.partition("\n\n")
        status, *headers = head.splitlines()
        self.status = int(status.split()[1])
        # HTTP does not mind how a name is written.
        self.headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in headers)}
        self.body = json.loads(self.text) if self.text else None

    @property
    def session(self):
        return self.headers["location"].rstrip("/").rpartition("/")[2]


class Curl:
    """Asks one iLO."""

    def __init__(self, world, ilo):
        self.programs, self.ilo, self.token = world.programs, ilo, None

    def ask(self, path, *options, method="GET", body=None):
        command = ["--silent", "--show-error", "--insecure", "--include", "--max-time", 20]
        command += ["--request", method, *options]
        if body is not None:
            command += ["--header", "Content-Type: application/json", "--data", body]
        if self.token:
            command += ["--header", f"X-Auth-Token: {self.token}"]
        done = self.programs.run(None, "curl", *command, f"{self.ilo.url}{path}")
        return Answer(succeeded(done, f"{method} {path}"))

    def login(self):
        answer = self.ask(f"{SESSIONS}/", method="POST", body=CREDENTIALS)
        expect_equal(answer.status, 201, f"the status of a login to an {self.ilo.personality}")
        return answer


def each(world, *personalities, **choices):
    return [Curl(world, ilo) for ilo in world.simulate(*personalities, **choices)]


def message_of(body):
    """The one message in an object named `error`, as iLO 5 and later have it."""
    expect_equal(set(body), {"error"}, "the properties of a message")
    expect_equal(body["error"]["code"], "iLO.0.10.ExtendedInfo", "the code of a message")
    [info] = body["error"]["@Message.ExtendedInfo"]
    return info


# --- Stories ---


def root(world):
    """Anyone reads generation, firmware and time. Headers: bb-Ricardo/check_redfish issue 178, an iLO 6 in 2025."""
    told = {"ilo5-2.46": "2.46", "ilo5-3.11": "3.11", "ilo6-1.66": "1.66", "ilo7-1.17": "1.17.00"}
    for curl, (personality, version) in zip(each(world, *told), told.items()):
        answer = curl.ask("/redfish/v1/")
        headers = dict(answer.headers)
        forms = {
            "date": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
            "etag": r'W/"([0-9A-F]{8}|\d+)"',
            "link": "<.*>; rel=describedby",
        }
        for name, form in forms.items():
            expect(re.fullmatch(form, headers.pop(name)), f"{name}: {answer.headers[name]}")
        literal = {
            "allow": "GET, HEAD", "cache-control": "no-cache", "connection": "keep-alive",
            "content-type": "application/json; charset=utf-8", "odata-version": "4.0", "transfer-encoding": "chunked",
            "x-content-type-options": "nosniff", "x-frame-options": "sameorigin", "x-xss-protection": "1; mode=block",
        }  # fmt: skip
        expect_equal((answer.status, headers), (200, literal), f"the root of an {personality}")
        [manager] = answer.body["Oem"]["Hpe"]["Manager"]
        expect_equal(manager["ManagerType"], personality[:4].replace("ilo", "iLO "), "the generation")
        expect_equal(manager["ManagerFirmwareVersion"], version, "the firmware")
        expect_equal(answer.body["Oem"]["Hpe"]["Sessions"]["LoginFailureDelay"], 0, "the delay of a login")
        expect_equal(answer.body["Links"]["Sessions"]["@odata.id"], f"{SESSIONS}/", "where to log in")
        features = answer.body["ProtocolFeaturesSupported"]
        expand = {"ExpandAll": False, "Levels": True, "Links": False, "MaxLevels": 1, "NoLinks": True}
        expect_equal(features["ExpandQuery"], expand, "what it says of $expand")
    return f"service root of {', '.join(told)}, with the headers of an iLO 6"


def login(world):
    """Headers: HPE's blog on sessions. Body: its guide to two-factor authentication. iLO 4: its REST API docs."""
    for curl in each(world, *FIFTH_ON):
        answer = curl.login()
        chance = 8 if curl.ilo.personality == "ilo5-2.46" else 7
        expect(re.fullmatch(rf"{LEAKER}[0-9a-f]{{16}}[0-9a-f]{{{chance}}}", answer.session), f"an id {answer.session}")
        own = f"{SESSIONS}/{answer.session}/"
        expect_equal(answer.headers["location"], f"https://{curl.ilo.address}{own}", "Location, without a port")
        expect_equal(answer.headers["link"], f"<{own}>; rel=self", "Link")
        expect(re.fullmatch("[0-9a-f]{32}", answer.headers["x-auth-token"]), "the token is not 32 digits")
        member, oem = answer.body, answer.body["Oem"]["Hpe"]
        kinds = ("#Session.v1_0_0.Session", "#HpeiLOSession.v2_1_0.HpeiLOSession")
        expect_equal((member["@odata.type"], oem["@odata.type"]), kinds, "types of a session")
        expect_equal((oem["MySession"], oem["UserTag"], oem["UserType"]), (False, "REST", "Local"), "one's new session")
        expect_equal(oem["AccessTime"], oem["LoginTime"], "the access time of a session that nobody used")

    [curl] = each(world, "ilo4-2.55")
    answer = curl.login()
    expect(re.fullmatch(rf"{LEAKER}[0-9a-f]{{8}}[0-9a-f]{{8}}", answer.session), f"an id {answer.session}")
    expect_equal(answer.headers["server"], "HPE-iLO-Server/1.30", "Server")
    expect_equal(answer.headers["x_hp-chrp-service-version"], "1.0.3", "X_HP-CHRP-Service-Version")
    expect_equal(answer.headers["content-length"], str(len(answer.text)), "Content-Length")
    created = [{"MessageID": "Base.0.10.Created"}]
    expect_equal((answer.body["Messages"], answer.body["Type"]), (created, "ExtendedError.1.0.0"), "the old part")
    expect_equal(answer.body["error"]["@Message.ExtendedInfo"], created, "the new part")
    return f"POST, 201 and its headers on {', '.join([*FIFTH_ON, 'ilo4-2.55'])}"


def listing(world):
    """The collection and its members, property by property, as HPE's captures have them."""
    for curl in each(world, *FIFTH_ON, options=["--session", "IPMI/RMCP:root@192.0.2.12"]):
        made = curl.login()
        curl.token = made.headers["x-auth-token"]
        mine = {"@odata.id": f"{SESSIONS}/{made.session}"}
        listed = curl.ask(SESSIONS).body
        [other] = [member for member in listed["Members"] if member != mine]
        summary = "HpeiLOSessionsSummary"
        literal = {
            "@odata.context": "/redfish/v1/$metadata#SessionCollection.SessionCollection",
            "@odata.etag": listed["@odata.etag"],
            "@odata.id": SESSIONS,
            "@odata.type": "#SessionCollection.SessionCollection",
            "Description": "Manager User Sessions",
            "Name": "Sessions",
            "Oem": {
                "Hpe": {
                    "@odata.context": f"/redfish/v1/$metadata#{summary}.{summary}",
                    "@odata.type": f"#{summary}.v2_0_0.{summary}",
                    "Links": {"MySession": mine},
                }
            },
            "Members": [other, mine],
            "Members@odata.count": 2,
        }
        if curl.ilo.personality == "ilo7-1.17":
            literal["Description"] = "Manager User and Application Sessions"
        expect_equal(listed, literal, f"the collection of an {curl.ilo.personality}")

        member = curl.ask(other["@odata.id"]).body
        oem = {key: member["Oem"]["Hpe"][key] for key in ("AccessTime", "LoginTime", "UserExpires")}
        expect(all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp) for stamp in oem.values()), f"stamps: {oem}")
        literal = {
            "@odata.context": "/redfish/v1/$metadata#Session.Session",
            "@odata.etag": member["@odata.etag"],
            "@odata.id": other["@odata.id"],
            "@odata.type": "#Session.v1_0_0.Session",
            "Id": other["@odata.id"].rpartition("/")[2],
            "Description": "Manager User Session",
            "Name": "User Session",
            "Oem": {
                "Hpe": {
                    "@odata.context": "/redfish/v1/$metadata#HpeiLOSession.HpeiLOSession",
                    "@odata.type": "#HpeiLOSession.v2_1_0.HpeiLOSession",
                    "MySession": False,
                    "UserIP": "192.0.2.12",
                    "UserTag": "IPMI/RMCP",
                    "UserType": "Local",
                    **oem,
                }
            },
            "UserName": "root",
        }
        expect_equal(member, literal, f"somebody else's session on an {curl.ilo.personality}")
        own = curl.ask(mine["@odata.id"]).body["Oem"]["Hpe"]
        expect_equal((own["MySession"], len(own["Privileges"])), (True, 10), "what only one's own session shows")

        # With a slash in the request there is one in every link; and one level comes whole.
        whole = curl.ask(f"{SESSIONS}/?$expand=.").body["Members"]
        expect(all(member["@odata.id"].endswith("/") for member in whole), f"links without a slash: {whole}")
        expect_equal([member["UserName"] for member in whole], ["root", LEAKER], "whole members")

    [curl] = each(world, "ilo4-2.55")
    curl.token = curl.login().headers["x-auth-token"]
    [member] = curl.ask(f"{SESSIONS}/?$expand=.", "--header", "OData-Version: 4.0").body["Members"]
    expect_equal(set(member), {"@odata.id"}, "what an iLO 4 makes of $expand")
    return f"collection and members of {', '.join(FIFTH_ON)}; an iLO 4 ignores $expand"


def refusals(world):
    """HPE's guide to two-factor authentication, its captures, and python-ilorest-library issue 45."""
    # The prefix of the messages is that of the capture, or of a quoted answer of that time.
    base = {"ilo5-2.46": "Base.1.4", "ilo5-3.11": "Base.1.18", "ilo6-1.66": "Base.1.18", "ilo7-1.17": "Base.1.18"}
    for curl in each(world, *FIFTH_ON):
        prefix = base[curl.ilo.personality]
        for token in (None, "0123456789abcdef0123456789abcdef"):
            curl.token = token
            answer = curl.ask(f"{SESSIONS}/")
            expect_equal(answer.status, 401, "the status without a session")
            expect_equal(message_of(answer.body), {"MessageId": f"{prefix}.NoValidSession"}, "the message")
            unwanted = {"www-authenticate", "retry-after"} & set(answer.headers)
            expect(not unwanted, f"headers that an iLO does not send: {unwanted}")
        curl.token = curl.login().headers["x-auth-token"]
        answer = curl.ask(f"{SESSIONS}/nobody")
        missing = {"MessageArgs": [f"{SESSIONS}/nobody"], "MessageId": f"{prefix}.ResourceMissingAtURI"}
        expect_equal((answer.status, message_of(answer.body)), (404, missing), "a session that is gone")
        answer = curl.ask(f"/https:/ilo{SESSIONS}/nobody/", method="DELETE")
        found = (answer.status, answer.headers["allow"], answer.text)
        expect_equal(found, (405, "GET", ""), "DELETE of a path that is no resource")
    return f"401, 404 and 405 on {', '.join(FIFTH_ON)}"


def deletion(world):
    """Success arrives in an object named `error` (HPE's blog on sessions), and the token is worth nothing then."""
    for curl in each(world, *FIFTH_ON, "ilo4-2.55"):
        made = curl.login()
        curl.token = made.headers["x-auth-token"]
        answer = curl.ask(f"{SESSIONS}/{made.session}/", method="DELETE")
        expect_equal(answer.status, 200, f"the status of a DELETE on an {curl.ilo.personality}")
        [info] = answer.body["error"]["@Message.ExtendedInfo"]
        [(key, value)] = info.items()
        expect_equal(key, "MessageID" if curl.ilo.personality == "ilo4-2.55" else "MessageId", "how it is spelled")
        expect(re.fullmatch(r"Base\.\d+\.\d+\.Success", value), f"the message is {value}")
        expect_equal(curl.ask(f"{SESSIONS}/").status, 401, "the status with the old token")
        expect_equal(curl.ilo.ended(), {made.session: LEAKER}, "what was ended")
    return f"DELETE, 200 and Success on {', '.join([*FIFTH_ON, 'ilo4-2.55'])}"


def redirects(world):
    """Trailing slashes: HPE's changelog of iLO 5. The older tree: its "iLO 5 adaptation"."""
    for curl in each(world, "ilo4-2.55", "ilo5-1.39"):
        for path in ("/redfish/v1", SESSIONS):
            answer = curl.ask(path)
            found = (answer.status, answer.headers["location"])
            expect_equal(found, (308, f"{path}/"), f"{path} on an {curl.ilo.personality}")
        # curl sends the POST again as a POST, and gets in.
        done = curl.programs.run(
            None, "curl", "--silent", "--insecure", "--location", "--header", "Content-Type: application/json",
            "--data", CREDENTIALS, f"{curl.ilo.url}{SESSIONS}",
        )  # fmt: skip
        succeeded(done, "the login that is sent on")
        expect_equal(len(curl.ilo.logins(LEAKER)), 1, "logins that were sent on")
    for curl in each(world, "ilo5-2.46", "ilo6-1.66", "ilo7-1.17"):
        answer = curl.ask("/rest/v1/Sessions")
        expect_equal((answer.status, answer.headers["location"]), (308, "/redfish/v1/Sessions/"), "the older tree")
        expect_equal(curl.ask("/redfish/v1").status, 200, "the root without a slash")
    return "308 to the slash until iLO 5 1.39, and out of /rest/v1 from iLO 5 on"


STORIES = [root, login, listing, refusals, deletion, redirects]
