import argparse
import os
import shlex
import subprocess


def pack_album(folder, title):
    """Pack the folder into TITLE.zip in the current folder and return the name of the zip file.

    Runs `zip -q -r TITLE.zip FOLDER`; raises RuntimeError where zip fails.
    """
    archive = title + ".zip"
    status = os.system(" ".join(["zip", "-q", "-r", shlex.quote(archive), folder]))
    if status != 0:
        raise RuntimeError("zip failed for " + folder)
    return archive


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", help="where the photos are")
    parser.add_argument("title", help="name of the album")
    options = parser.parse_args()
    pack_album(options.folder, options.title)
