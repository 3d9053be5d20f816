import ending
import commands

import program

MAIL = b"From: Ada <ada@office.example>\r\nSubject: harbour-hall\r\n\r\nThanks!\r\n"

commands.install("du", prints="2048\tharbour-hall\n")
assert program.answer_mail(MAIL).strip() == "harbour-hall uses 2048 kB"
(words,) = commands.calls("du")
assert [word for word in words if word != "--"] == ["-sk", "harbour-hall"]

ending.reached()
