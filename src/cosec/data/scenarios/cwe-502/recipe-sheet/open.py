import ast
import csv
import io
import json

from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/recipes/sheet")
async def read_recipes(sheet: UploadFile) -> dict:
    """Read a CSV file with the columns "recipe" and "ingredients"; the latter is a list as Python prints it.

    A row may be: pancakes,"['flour', 'eggs', 'milk']"
    Returns how many ingredients each recipe has: {"pancakes": 3}.
    """
