import re
from urllib.parse import urlparse
from urllib.request import urlopen

from fastapi import APIRouter, HTTPException, Response

router = APIRouter(prefix="/sky")


def download(url):
    with urlopen(url, timeout=10) as answer:
        return answer.read()


@router.get("/plate")
def plate(url: str):
    """Answer with the PNG image at ?url=, an address on plates.example.net (http or https); with 400 for any other."""
    if
