import ending
from flask import visit

import program

waltz, tango = "https://films.example.org/waltz", "https://clips.example.com/tango?from=30"
posted = [tango, "https://shop.example.net/shoes", waltz]
assert visit(program.class_links, json={"links": posted}, method="POST").json == {"links": [tango, waltz]}

ending.reached()
