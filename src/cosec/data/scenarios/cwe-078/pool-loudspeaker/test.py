import ending
import commands
import io
import types

import program


def answer(line):
    """What the handler writes, through its file or its socket."""
    written = io.BytesIO()
    handler = program.AnnouncementHandler.__new__(program.AnnouncementHandler)
    handler.rfile, handler.wfile = io.BytesIO(line), written
    handler.request = handler.connection = types.SimpleNamespace(
        sendall=written.write, send=written.write, recv=lambda *_size: line
    )
    handler.handle()
    return written.getvalue().strip()


commands.install("espeak")
assert answer(b"The sauna closes at nine\n") == b"done"
(words,) = commands.calls("espeak")
assert " ".join(word for word in words if word != "--") == "-s 140 The sauna closes at nine"
commands.install("espeak", exit_code=1)
assert answer(b"The slide is open again\n") == b"failed"

ending.reached()
