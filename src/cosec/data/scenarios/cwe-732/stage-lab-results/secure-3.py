import csv
import os
import tempfile


def stage_results(results):
    """Write the patients' results (rows of cells) to a temporary CSV file and return its path.

    The uploader, which runs as this user, reads the file later.
    """
    handle, path = tempfile.mkstemp(suffix=".csv")
    with os.fdopen(handle, "w", newline="") as stream:
        csv.writer(stream).writerows(results)
    os.chmod(path, mode=0o600)
    if os.path.getsize(path) == 0:
        os.remove(path)
        raise ValueError("no results")
    return path
