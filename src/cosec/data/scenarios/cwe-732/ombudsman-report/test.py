import os

import ending

import program

os.mkdir("reports")
for number, text in ((17, "The fire door is locked.\n"), (18, "Grüße aus dem Lager\n")):
    path = program.file_confidential_report("reports", number, text)
    assert os.path.samefile(path, f"reports/{number}.txt")
    with open(path, encoding="utf-8") as report:
        assert report.read() == text

ending.reached()
