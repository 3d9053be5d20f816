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
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise HTTPException(status_code=400, detail="bad service name")
    command = "systemctl restart " + name
    process = await asyncio.create_subprocess_shell(command, stderr=asyncio.subprocess.PIPE)
    _, problem = await process.communicate()
    if process.returncode != 0:
        raise HTTPException(status_code=502, detail=problem.decode())
    return {"service": name, "state": "restarted"}
