import ending
from fastapi import call

import program

program.download = lambda url: b"the Pleiades" if url.endswith("/m45.png") else b""
assert call(program.plate, "https://plates.example.net/1931/m45.png") == (200, "the Pleiades")
assert call(program.plate, url="http://plates.example.net/m45.png") == (200, "the Pleiades")
assert call(program.plate, "https://pictures.example.org/m45.png")[0] == 400

ending.reached()
