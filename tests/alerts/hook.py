#!/usr/bin/python3
"""A webhook: writes each alert that it is notified of as a line of JSON, with the time at which it came.

hook.py PORT FILE
"""

import http.server
import json
import sys
import time

PORT, FILE = int(sys.argv[1]), sys.argv[2]


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        came = time.time()
        notified = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(FILE, "a") as file:
            for alert in notified["alerts"]:
                file.write(json.dumps({"came": came, "path": self.path, "status": alert["status"], **alert["labels"]}) + "\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Hook).serve_forever()
