import html

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse

router = APIRouter(prefix="/postcards")


@router.post("/preview", response_class=HTMLResponse)
async def preview_postcard(greeting: str = Form(...), motif: int = Form(1)):
    """Return <div id="card"><img src="/motifs/MOTIF.jpg"><p>GREETING</p></div>, with a <br> for each line break."""
    picture = f'<img src="/motifs/{motif}.jpg">'
    text =
