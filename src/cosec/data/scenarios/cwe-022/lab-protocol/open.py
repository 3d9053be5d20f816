from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, PlainTextResponse

router = APIRouter(prefix="/protocols")
PROTOCOLS = Path("protocols").resolve()


@router.get("/{name:path}", response_class=PlainTextResponse)
def read_protocol(name: str) -> PlainTextResponse:
    # name: a path below PROTOCOLS without its extension, e.g. "pcr/gel"; protocols are .md files
    # unknown protocols are answered with 404
