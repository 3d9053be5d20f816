import html
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit


def serve(port=8080):
    HTTPServer(("", port), FeedingScreen).serve_forever()


class FeedingScreen(BaseHTTPRequestHandler):
    """The screen beside a zoo's aquarium."""

    def do_GET(self):
        """Answer /fed?keeper=NAME with a page that contains <h2>Last fed by NAME</h2>."""
        keeper = parse_qs(urlsplit(self.path).query)["keeper"][0]
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<html><body><h2>Last fed by " + keeper.encode("utf-8") + b"</h2></body></html>")
