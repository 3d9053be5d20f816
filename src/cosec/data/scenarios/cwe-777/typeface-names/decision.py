import re

from fastapi import FastAPI
from pymongo import MongoClient

app = FastAPI()
typefaces = MongoClient()["foundry"]["typefaces"]


@app.get("/typefaces/names")
def typeface_names(text: str) -> list[str]:
    """Return the names (field "name") of the typefaces that begin with the text, upper and lower case alike."""
    faces = typefaces.find({"name": {"$regex":
