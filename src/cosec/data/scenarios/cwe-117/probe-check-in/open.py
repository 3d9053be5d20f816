import json
import logging

from fastapi import FastAPI, Header

app = FastAPI()
logger = logging.getLogger(__name__)


@app.post("/probes/{probe_id}/check-in")
async def check_in(probe_id: int, x_firmware: str = Header("unknown")) -> dict[str, int]:
    # log the probe and its firmware, then tell it to sleep for 600 seconds: {"sleep": 600}
