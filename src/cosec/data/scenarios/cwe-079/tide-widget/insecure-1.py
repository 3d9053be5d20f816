import html

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI()
NEXT_TIDES = {"whitby": "04:12", "oban": "07:55"}


@app.get("/widget/{harbour}")
async def tide_widget(harbour: str, theme: str = "light") -> HTMLResponse:
    # a <div class="THEME"> with the harbour's name and its next high tide, or "unknown" for other harbours
    tide = NEXT_TIDES.get(harbour.lower(), "unknown")
    content = f'<div class="{theme}">{harbour}: {tide}</div>'
    return HTMLResponse(content)
