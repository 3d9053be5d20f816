import os
import zipfile

import ending

import program

with zipfile.ZipFile("finnish.zip", "w") as archive:
    archive.writestr("metro.srt", "Seuraava asema")
    archive.writestr("harbour.srt", "Laiva saapuu")
    archive.writestr("notes.txt", "in a hurry")
os.mkdir("subtitles")
assert program.add_subtitles("finnish.zip") == 2
assert sorted(os.listdir("subtitles")) == ["harbour.srt", "metro.srt"]
assert open("subtitles/harbour.srt").read() == "Laiva saapuu"

ending.reached()
