import re

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

router = APIRouter()
EVENTS = [{"day": "2024-06-03", "title": "sports day"}]


@router.get("/calendar")
def calendar(request: Request):
    """The events; Access-Control-Allow-Origin repeats the origin if it is https://SUBDOMAIN.school.example.org."""
    origin = request.headers.get("Origin", "")
    allowed = re.compile(r"https://\w+" + re.escape(".school.example.org") + r"\Z").match(origin) is not None
    response = JSONResponse(content=EVENTS)
    if allowed:
        response.headers.update({"Access-Control-Allow-Origin": origin})
    return response
