import email
import os
from email import policy
from pathlib import Path

TIMETABLES = "timetables"


def collect_timetables(mail):
    """Keep the PDF files attached to the mail, given as bytes, in the folder TIMETABLES, each under the file name that
    it has in the mail; return the list of these names. Files without a name are left out.
    """
