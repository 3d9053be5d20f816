import log_lines

log_lines.keep()

import ending
import types

import program


def dome_with(data):
    dome = program.Dome.__new__(program.Dome)
    dome.azimuth = 5
    dome.link = types.SimpleNamespace(recv=lambda *_size: data, recvfrom=lambda *_size: (data, ("10.0.0.7", 5050)))
    return dome


dome = dome_with(b"270")
assert dome.receive() is True
assert dome.azimuth == 270
dome = dome_with(b"west")
assert dome.receive() is False
assert dome.azimuth == 5
assert "west" in log_lines.WRITTEN[-1]

ending.reached()
