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
        job = json.loads(data)
        jobs.put(job)
        self.request.sendall(str(jobs.qsize()).encode())
