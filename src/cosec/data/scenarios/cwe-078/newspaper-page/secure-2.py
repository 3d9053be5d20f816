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
        f"pdftotext -f {page} -l {page} {shlex.quote(issue + '.pdf')} -",
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output = process.stdout.read()
    if process.wait():
        raise HTTPException(404)
    return {"text": output.decode("utf-8")}
