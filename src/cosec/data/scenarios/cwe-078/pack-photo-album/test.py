import ending
import commands

import program

commands.install("zip")
assert program.pack_album("holiday", "Norway") == "Norway.zip"
assert commands.calls("zip")[-1] == ["-q", "-r", "Norway.zip", "holiday"]
commands.install("zip", exit_code=12)
try:
    program.pack_album("holiday", "Norway")
except RuntimeError:
    pass
else:
    raise AssertionError("a failure of zip must be reported")

ending.reached()
