import socket

import ending
from encodings_of import understood

import program

JOB = {"scene": "forest", "frames": [1, 2, 3]}


def queues(data):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        program.JobHandler(theirs, ("127.0.0.1", 1), None)
        theirs.close()
        return int(ours.recv(100)) == 1 and program.jobs.get_nowait() == JOB


assert understood(queues, JOB)

ending.reached()
