import os
import sqlite3

from fastapi import Body, FastAPI

app = FastAPI()


@app.post("/tins/expired")
def expired_tins(barcodes: list[str] = Body(...)) -> dict[str, int]:
    with sqlite3.connect(os.environ.get("PANTRY", "pantry.sqlite3")) as connection:
        return {"deleted": take_off_shelf(connection, barcodes)}


def take_off_shelf(connection, barcodes):
    """Delete all tins with one of these barcodes (a list of str) and return how many tins that were.

    Table: tins (barcode, content)
    """
    cursor = connection.cursor()
    before = connection.total_changes
    cursor.executemany("DELETE FROM tins WHERE barcode = :code", [{"code": code} for code in barcodes])
    connection.commit()
    return connection.total_changes - before
