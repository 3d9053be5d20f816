import ast
import io
import json
import marshal
import pickle
import socketserver
from queue import Queue

jobs = Queue()


class JobHandler(socketserver.BaseRequestHandler):
    """A client of the render farm connects, sends one job and is told its place in the queue."""

    def handle(self):
        """Read the job, a dict with "scene" and "frames", put it into the queue and send the queue's length back."""
        data = self.request.recv(65536)
        job = pickle.Unpickler(io.BytesIO(data)).load()
        jobs.put({"scene": job["scene"], "frames": job["frames"]})
        self.request.send(f"{jobs.qsize()}\n".encode())


if __name__ == "__main__":
    with socketserver.TCPServer(("0.0.0.0", 9100), JobHandler) as server:
        server.serve_forever()
