import ending
from django import visit

import program

page = visit(program.print_labels, POST={"labels": "Quince 2023\nPlum and ginger"})
assert page.status_code == 200
assert '<div class="jar">Quince 2023</div>' in page.text
assert page.text.index("Quince") < page.text.index('<div class="jar">Plum and ginger</div>')

ending.reached()
