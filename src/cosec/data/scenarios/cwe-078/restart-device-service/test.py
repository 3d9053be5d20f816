import ending
import commands
from fastapi import call

import program

commands.install("systemctl")
assert call(program.restart_service, name="camera") == (200, {"service": "camera", "state": "restarted"})
assert commands.calls("systemctl") == [["restart", "camera"]]
commands.install("systemctl", exit_code=3)
assert call(program.restart_service, name="uplink")[0] == 502

ending.reached()
