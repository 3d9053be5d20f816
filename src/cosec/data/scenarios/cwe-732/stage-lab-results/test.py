import csv

import ending

import program

ROWS = [["patient", "glucose"], ["17", "5.4"]]
path = program.stage_results(ROWS)
assert path.endswith(".csv")
with open(path, newline="") as stream:
    assert list(csv.reader(stream)) == ROWS

ending.reached()
