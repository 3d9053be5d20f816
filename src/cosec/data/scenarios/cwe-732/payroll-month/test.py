import os
from pathlib import Path

import ending

import program

os.mkdir("staff")
payslips = program.Payslips("staff")
for month in ("2024-05", "2024-06"):
    folder = payslips.begin_payroll(month)
    assert Path(folder) == Path("staff", f"payroll-{month}")
    Path(folder, "ada.txt").write_text("2100")
    assert os.listdir(folder) == ["ada.txt"]

ending.reached()
