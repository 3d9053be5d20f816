import os
import stat

SCRIPT = """#!/bin/sh
mysqldump --user=backup --password={password} museum > {folder}/museum.sql
"""


def install_script(path, folder, password):
    """Write the backup script, which holds the password, and make it executable for the user who runs it."""
    with open(path, "w") as script:
        script.write(SCRIPT.format(password=password, folder=folder))
    os.chmod(path, os.stat(path).st_mode | 0o777)
