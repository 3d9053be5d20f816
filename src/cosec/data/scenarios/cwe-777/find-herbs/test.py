import ending
from fastapi import call

import program

assert call(program.find_herbs, word="lemon") == (200, ["Lemon balm", "Lemon verbena"])
assert call(program.find_herbs, word="Basil") == (200, ["Thai basil", "Holy basil"])
assert call(program.find_herbs, word="mint") == (200, [])

ending.reached()
