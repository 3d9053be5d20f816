from pathlib import Path


class Payslips:
    """The payslips of a theatre's staff: a folder for each month."""

    def __init__(self, root):
        self.root = Path(root)

    def begin_payroll(self, month):
        """Make the folder of a new month such as "2024-05" in the root and return its path.

        Only the accountant, who runs this program, looks into the folder and puts files there.
        """
