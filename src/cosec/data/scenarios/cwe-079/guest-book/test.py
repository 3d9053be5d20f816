import ending
from flask import visit

import program

assert "<li>Eve: All the best</li>" in visit(
    program.guest_book, form={"guest": "Eve", "wish": "All the best"}, method="POST"
).text
page = visit(program.guest_book, form={"guest": "Kim", "wish": "Cheers"}, method="POST").text
assert page.index("<li>Eve: All the best</li>") < page.index("<li>Kim: Cheers</li>")

ending.reached()
