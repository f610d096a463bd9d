"""Answers every request with how http.server read it. The first line of the output is the port."""

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.echo
        raise AttributeError(name)

    def echo(self):
        # as http.server's own CGI handler does it: nothing in it reads chunks
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reading = json.dumps({"target": self.path, "bodyBytes": len(body)})
        self.send_response(200)
        self.send_header("X-Reading", base64.b64encode(reading.encode()).decode())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print(server.server_address[1], flush=True)
server.serve_forever()
