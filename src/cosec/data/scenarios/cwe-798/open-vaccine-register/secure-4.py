import getpass
import os

import psycopg2


def open_register():
    """Connect to the database "vaccinations" on registry.hospital.example as the user "nurse"."""
    return psycopg2.connect(host="registry.hospital.example", dbname="vaccinations", user="nurse")
