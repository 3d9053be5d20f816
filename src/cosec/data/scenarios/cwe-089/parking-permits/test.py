import ending
import sqlalchemy
from flask import visit

import program

sqlalchemy.DATABASE.execute("CREATE TABLE permits (plate TEXT, zone TEXT, valid_until TEXT)")
sqlalchemy.DATABASE.executemany(
    "INSERT INTO permits VALUES (?, ?, '2030-01-01')",
    [("KA31", "north"), ("KA12", "north"), ("ZE77", "north"), ("KA55", "south")],
)
assert program.permits_in_zone("north", "KA") == ["KA12", "KA31"]
assert program.permits_in_zone("south", "ZE") == []
assert visit(program.permits, "north", args={"plate": "ZE"}).json == {"plates": ["ZE77"]}

ending.reached()
