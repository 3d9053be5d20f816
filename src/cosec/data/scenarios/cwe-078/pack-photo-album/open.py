import argparse
import os
import shlex
import subprocess


def pack_album(folder, title):
    """Pack the folder into TITLE.zip in the current folder and return the name of the zip file.

    Runs `zip -q -r TITLE.zip FOLDER`; raises RuntimeError where zip fails.
    """
