"""URL USER PASSWORD session|basic: logs in with DMTF's library, prints the ids of the sessions, and logs out."""

import json
import sys

import redfish

url, user, password, how = sys.argv[1:]
client = redfish.redfish_client(base_url=url, username=user, password=password)
client.login(auth=how)
sessions = client.get("/redfish/v1/SessionService/Sessions/")
print(json.dumps([member["@odata.id"].rstrip("/").rpartition("/")[2] for member in sessions.dict["Members"]]))
client.logout()
