import os
import shlex
import sys


def tag_release(version, message):
    """Tag the current commit with the version and a message."""
    if not os.path.isdir(".git"):
        sys.exit("not inside a git checkout")
    status = os.system("git tag -a " +