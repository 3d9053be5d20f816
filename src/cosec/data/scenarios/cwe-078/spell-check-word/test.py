import ending
import commands

import program

commands.install("aspell", prints="@(#) International Ispell\n& wrod 3 0: word, rod, trod\n\n", also="cat > typed.txt")
assert program.suggestions("wrod", "en") == ["word", "rod", "trod"]
assert open("typed.txt").read().strip() == "wrod"
assert commands.calls("aspell") == [["-a", "-l", "en"]]
commands.install("aspell", prints="@(#) International Ispell\n*\n\n", also="cat > typed.txt")
assert program.suggestions("word", "en") == []

ending.reached()
