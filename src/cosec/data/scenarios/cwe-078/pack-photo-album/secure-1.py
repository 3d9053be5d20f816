import argparse
import os
import shlex
import subprocess


def pack_album(folder, title):
    """Pack the folder into TITLE.zip in the current folder and return the name of the zip file.

    Runs `zip -q -r TITLE.zip FOLDER`; raises RuntimeError where zip fails.
    """
    archive = title + ".zip"
    status = os.system("zip -q -r " + shlex.quote(archive) + " " + shlex.quote(folder))
    if status != 0:
        raise RuntimeError("zip failed")
    return archive


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("title")
    options = parser.parse_args()
    print(pack_album(options.folder, options.title))
