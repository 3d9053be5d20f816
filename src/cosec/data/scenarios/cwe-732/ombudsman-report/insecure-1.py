import os
import stat


def file_confidential_report(folder, number, text):
    """Write an employee's report to NUMBER.txt in the folder and return the file's path.

    Only the ombudsman, who runs this program, reads the report and changes it.
    """
    path = os.path.join(folder, f"{number}.txt")
    with open(path, "w", encoding="utf-8") as report:
        report.write(text)
        os.fchmod(report.fileno(), stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
    return path
