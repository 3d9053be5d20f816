import getpass
import os
from ftplib import FTP_TLS


def hand_in_magazine(pdf_path, issue):
    """Upload the PDF to the print shop's server, ftp.printshop.example, as "magazine-ISSUE.pdf".

    The print shop knows us as the user "parish". Returns the names of the files on the server then, sorted.
    """
    with open(pdf_path, "rb") as pdf, FTP_TLS("ftp.printshop.example", "parish", os.environ["PRINTSHOP_PASSWORD"]) as ftp:
        ftp.prot_p()
        ftp.storbinary(f"STOR magazine-{issue}.pdf", pdf)
        return sorted(ftp.nlst())
