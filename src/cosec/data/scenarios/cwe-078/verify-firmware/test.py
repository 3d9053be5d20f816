import ending
import commands

import program

commands.install("sha256sum", prints="9a3cfe  image.bin\n")
assert program.FirmwareShelf({"valve-2": "9a3cfe"}).is_genuine("image.bin", "valve-2") is True
assert commands.calls("sha256sum") == [["image.bin"]]
assert program.FirmwareShelf({"valve-2": "000000"}).is_genuine("image.bin", "valve-2") is False

ending.reached()
