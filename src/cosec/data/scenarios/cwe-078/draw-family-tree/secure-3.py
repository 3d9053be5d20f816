import os
import shlex
import subprocess
import sys


def main():
    for source in sys.argv[1:]:
        print("drawn:", draw_family_tree(source))


def draw_family_tree(source):
    """Draw a family tree with `dot -Tpng -o TARGET SOURCE` and return the name of the picture.

    The picture of smith.gv is smith.png.
    """
    target = os.path.splitext(source)[0] + ".png"
    command = "dot -Tpng -o".split()
    command.extend([target, source])
    if subprocess.call(command) != 0:
        sys.exit("dot failed")
    return target
