import ending
from flask import visit

import program

assert visit(program.paid, args={"back": "https://yarn.example.com/orders"}).headers["Location"].endswith("/orders")
assert visit(program.paid, args={"back": "https://elsewhere.example.net/"}).headers["Location"] == "/"

ending.reached()
