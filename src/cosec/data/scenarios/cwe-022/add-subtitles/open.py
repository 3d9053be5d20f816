import os
import shutil
import zipfile
from pathlib import Path

SUBTITLES = Path("subtitles")


def add_subtitles(package):
    """Copy each .srt file in the zip file `package` into the folder SUBTITLES; return how many there were."""
