import argparse
import os
import shlex
import subprocess


def pack_album(folder, title):
    """Pack the folder into TITLE.zip in the current folder and return the name of the zip file.

    Runs `zip -q -r TITLE.zip FOLDER`; raises RuntimeError where zip fails.
    """
    archive = title + ".zip"
    status = os.system(shlex.join(["zip", "-q", "-r", archive, folder]))
    if status:
        raise RuntimeError(f"zip ended with {status}")
    return archive


def main():
    parser = argparse.ArgumentParser(description="pack an album")
    parser.add_argument("folder")
    parser.add_argument("--title", required=True)
    arguments = parser.parse_args()
    pack_album(arguments.folder, arguments.title)


if __name__ == "__main__":
    main()
