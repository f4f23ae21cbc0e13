"""URL USER PASSWORD list|work|close: logs in with sushy and prints the ids of the sessions.

list   leaves its session, as sushy does
work   reads on and on
close  closes its session
"""

import json
import sys
import time

import sushy

url, user, password, what = sys.argv[1:]
auth = sushy.auth.SessionAuth(username=user, password=password)
root = sushy.Sushy(f"{url}/redfish/v1", verify=False, auth=auth)
service = root.get_session_service()
print(json.dumps([session.identity for session in service.sessions.get_members()]), flush=True)
while what == "work":
    time.sleep(0.3)
    service.refresh(force=True)
if what == "close":
    auth.close()
