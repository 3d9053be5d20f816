import argparse
import re
import sqlite3

TABLES = ("members", "loans", "fines")


def main(arguments=None):
    parser = argparse.ArgumentParser(description="statistics of the library's database")
    parser.add_argument("database")
    parser.add_argument("table", help="members, loans or fines")
    options = parser.parse_args(arguments)
    with sqlite3.connect(options.database) as connection:
        print(options.table, count_rows(connection, options.table))


def count_rows(connection, table):
    """Return how many rows the table has; raise ValueError for a table that cannot be counted."""
    cursor = connection.cursor()
    queries = {
        "members": "SELECT COUNT(*) FROM members",
        "loans": "SELECT COUNT(*) FROM loans",
        "fines": "SELECT COUNT(*) FROM fines",
    }
    try:
        query = queries[table]
    except KeyError:
        raise ValueError("unknown table") from None
    (count,) = cursor.execute(query).fetchone()
    return count
