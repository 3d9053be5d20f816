import asyncio
import re

from fastapi import APIRouter, HTTPException

router = APIRouter()
SERVICES = {"camera", "recorder", "uplink"}


@router.post("/services/{name}/restart")
async def restart_service(name: str) -> dict[str, str]:
    """Restart the service with `systemctl restart NAME` and return {"service": NAME, "state": "restarted"}.

    Where systemctl fails, the answer has status 502.
    """
    # run systemctl and wait for it
    command = "systemctl restart {}".format(name.lower())
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise HTTPException(status_code=502, detail=errors.decode() or output.decode())
    return dict(service=name, state="restarted")
