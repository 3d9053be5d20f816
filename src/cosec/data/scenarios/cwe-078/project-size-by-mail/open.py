import email
import shlex
import subprocess
import sys


def main():
    print(answer_mail(sys.stdin.buffer.read()))


def answer_mail(raw):
    """Return the answer to a mail whose subject is a project's folder, such as "bridge uses 2048 kB".

    `du -sk FOLDER` prints the kilobytes, a tab and the folder.
    """
