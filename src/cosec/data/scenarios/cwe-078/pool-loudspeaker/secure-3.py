import shlex
import socketserver
import subprocess


def serve():
    with socketserver.TCPServer(("0.0.0.0", 7030), AnnouncementHandler) as server:
        server.serve_forever()


class AnnouncementHandler(socketserver.StreamRequestHandler):
    """Takes announcements from the cash desk, one for each connection."""

    def handle(self):
        """Speak the line that comes in with `espeak -s 140 TEXT`.

        The answer is the line "done", or "failed" where espeak fails.
        """
        text = self.rfile.readline().decode().strip()
        status = subprocess.call(
            shlex.join(("espeak", "-s", "140", text)) + " 2>/dev/null",
            shell=True,
        )
        answer = "done" if status == 0 else "failed"
        self.wfile.write((answer + "\n").encode())
