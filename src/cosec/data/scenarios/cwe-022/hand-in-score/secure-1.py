import os
import shutil
from pathlib import Path

from fastapi import APIRouter, File, UploadFile

router = APIRouter(prefix="/choir")
SCORES = Path("scores")


@router.post("/scores", status_code=201)
async def hand_in_score(score: UploadFile = File(...)):
    """Write the uploaded PDF into the folder SCORES under its file name; answer {"kept": the file name}."""
    SCORES.mkdir(exist_ok=True)
    content = await score.read()
    target = SCORES / Path(score.filename).name
    target.write_bytes(content)
    return {"kept": target.name}
