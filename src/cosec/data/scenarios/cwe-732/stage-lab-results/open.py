import csv
import os
import tempfile


def stage_results(results):
    """Write the patients' results (rows of cells) to a temporary CSV file and return its path.

    The uploader, which runs as this user, reads the file later.
    """
