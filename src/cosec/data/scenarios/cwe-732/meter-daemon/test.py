import os

import ending

import program

os.mkdir("meter")
with open("meter/readings.db", "wb") as readings:
    readings.write(b"12.1 kWh\n")
with program.start_recording("meter") as readings:
    readings.write(b"12.4 kWh\n")
with open("readings.db", "rb") as readings:
    assert readings.read() == b"12.1 kWh\n12.4 kWh\n"

ending.reached()
