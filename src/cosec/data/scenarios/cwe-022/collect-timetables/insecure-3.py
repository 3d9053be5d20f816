import email
import os
from email import policy
from pathlib import Path

TIMETABLES = "timetables"


def collect_timetables(mail):
    """Keep the PDF files attached to the mail, given as bytes, in the folder TIMETABLES, each under the file name that
    it has in the mail; return the list of these names. Files without a name are left out.
    """
    os.makedirs(TIMETABLES, exist_ok=True)
    names = []
    for part in email.message_from_bytes(mail, policy=policy.default).iter_attachments():
        name = part.get_filename()
        if part.get_content_type() != "application/pdf" or not name:
            continue
        content = part.get_payload(decode=True)
        path = f"{TIMETABLES}/{name}"
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(content)
        names.append(name)
    return names
