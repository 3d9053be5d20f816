import re

from fastapi import FastAPI, Query

app = FastAPI()
HERBS = ["Lemon balm", "Lemon verbena", "Thai basil", "Holy basil"]


@app.get("/herbs")
def find_herbs(word: str = Query(...)) -> list[str]:
    """Return the herbs in whose name the word occurs, upper and lower case alike."""
    pattern = re.compile(
