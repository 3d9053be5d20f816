import ending
import commands

import program

commands.install("dot")
assert program.draw_family_tree("smith.gv") == "smith.png"
assert commands.calls("dot") == [["-Tpng", "-o", "smith.png", "smith.gv"]]
assert program.draw_family_tree("trees/baker.dot") == "trees/baker.png"
assert commands.calls("dot")[1:] == [["-Tpng", "-o", "trees/baker.png", "trees/baker.dot"]]

ending.reached()
