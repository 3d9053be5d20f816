import os
import shutil
import zipfile
from pathlib import Path

SUBTITLES = Path("subtitles")


def add_subtitles(package):
    """Copy each .srt file in the zip file `package` into the folder SUBTITLES; return how many there were."""
    SUBTITLES.mkdir(exist_ok=True)
    count = 0
    with zipfile.ZipFile(package) as archive:
        for member in archive.namelist():
            if not member.endswith(".srt"):
                continue
            target = archive.extract(member, SUBTITLES)
            if os.path.isfile(target):
                count += 1
    return count
