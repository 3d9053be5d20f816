import io

import ending

import program


class Connection:
    def __init__(self, asked):
        self.asked = asked
        self.sent = b""

    def makefile(self, *_args, **_kwargs):
        return io.BytesIO(self.asked)

    def sendall(self, data):
        self.sent += bytes(data)


def page(keeper):
    connection = Connection(f"GET /fed?keeper={keeper} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    program.FeedingScreen(connection, ("127.0.0.1", 50000), None)
    head, _, body = connection.sent.decode().partition("\r\n\r\n")
    assert " 200 " in head.splitlines()[0]
    return body


assert "<h2>Last fed by Marta</h2>" in page("Marta")
assert "<h2>Last fed by Otto Berg</h2>" in page("Otto+Berg")

ending.reached()
