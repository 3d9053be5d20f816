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
        "pdftotext -f %d -l %d '%s.pdf' -" % (page, page, issue),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        shell=True,
    )
    out, err = process.communicate()
    if process.returncode:
        raise HTTPException(404, err.decode())
    return {"text": out.decode()}
