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
        ["pdftotext", "-f", str(page), "-l", str(page), issue + ".pdf", "-"], stdout=subprocess.PIPE, text=True
    )
    text, _ = process.communicate()
    if process.returncode != 0:
        raise HTTPException(status_code=404, detail="no such page")
    return {"text": text}
