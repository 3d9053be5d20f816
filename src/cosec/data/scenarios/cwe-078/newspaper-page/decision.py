import shlex
import subprocess

from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/issues/{issue}/pages/{page}")
def page_text(issue: str, page: int):
    """Return {"text": TEXT} with what `pdftotext -f PAGE -l PAGE ISSUE.pdf -` prints.

    The answer has status 404 where pdftotext fails.
    """
    process = subprocess.Popen(
