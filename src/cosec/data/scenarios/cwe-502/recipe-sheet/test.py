import ending
from fastapi import UploadFile, call

import program

SHEET = b"""recipe,ingredients
pancakes,"['flour', 'eggs', 'milk']"
toast,['bread']
"""
assert call(program.read_recipes, UploadFile("recipes.csv", SHEET)) == (200, {"pancakes": 3, "toast": 1})

ending.reached()
