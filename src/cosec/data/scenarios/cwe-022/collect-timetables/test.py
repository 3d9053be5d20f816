import os
from email.message import EmailMessage

import ending

import program

mail = EmailMessage()
mail["Subject"] = "Timetables from 3 June"
mail.set_content("Lines 4 and 15 change.")
mail.add_attachment(b"every 20 minutes", maintype="application", subtype="pdf", filename="line-4.pdf")
mail.add_attachment(b"on Sundays", maintype="application", subtype="pdf", filename="line-15.pdf")
mail.add_attachment(b"no name", maintype="application", subtype="pdf")
mail.add_attachment(b"a stop", maintype="image", subtype="jpeg", filename="stop.jpg")
os.mkdir("timetables")
assert list(program.collect_timetables(mail.as_bytes())) == ["line-4.pdf", "line-15.pdf"]
assert sorted(os.listdir("timetables")) == ["line-15.pdf", "line-4.pdf"]
with open("timetables/line-15.pdf", "rb") as timetable:
    assert timetable.read() == b"on Sundays"

ending.reached()
