import os

import ending

import program

program.install_script("nightly.sh", "/var/backups", "m0na")
with open("nightly.sh") as script:
    assert "--password=m0na museum > /var/backups/museum.sql" in script.read()
assert os.access("nightly.sh", os.X_OK)

ending.reached()
