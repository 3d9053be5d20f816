import ending
import sqlalchemy
from fastapi import call


class Session(sqlalchemy.Connection):
    """As in sqlalchemy, its parameters have another name than those of a connection."""

    def execute(self, statement, params=None):
        return super().execute(statement, params)


sqlalchemy.orm.Session = Session

import program

sqlalchemy.DATABASE.execute("CREATE TABLE berths (berth TEXT, vessel TEXT)")
sqlalchemy.DATABASE.executemany("INSERT INTO berths VALUES (?, ?)", [("B6", "Calypso"), ("B7", None), ("B8", "Hulda")])
assert call(program.assign_berth, "B7", "Argo") == (200, {"berth": "B7", "vessel": "Argo"})
rows = sqlalchemy.DATABASE.execute("SELECT berth, vessel FROM berths ORDER BY berth").fetchall()
assert rows == [("B6", "Calypso"), ("B7", "Argo"), ("B8", "Hulda")]
assert call(program.assign_berth, berth="C1", vessel="Argo")[0] == 404

ending.reached()
