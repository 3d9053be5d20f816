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
        ["bash", "-c", "pdftotext -f {0} -l {0} {1}.pdf -".format(page, issue)], stdout=subprocess.PIPE
    )
    output = process.stdout.read().decode()
    if process.wait() != 0:
        raise HTTPException(status_code=404)
    return {"text": output}
