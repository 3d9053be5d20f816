import ending
from django import visit

import program

assert visit(program.find_recipe, GET={"q": "Pancakes"}).url == "/recipes/1"
page = visit(program.find_recipe, GET={"q": "sorrel soup"})
assert page.status_code in (200, 404)
assert "<b>sorrel soup</b>" in page.text

ending.reached()
