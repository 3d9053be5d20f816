import os


def start_recording(folder):
    """Prepare the daemon: set its umask, change into the folder and open readings.db, which is made where needed.

    Returns the opened file, in binary mode, at its end. The readings are for the daemon's own user.
    """
