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
    process = await asyncio.create_subprocess_shell(f"systemctl restart {name}")
    await process.wait()
    if process.returncode != 0:
        raise HTTPException(status_code=502, detail="systemctl failed")
    return {"service": name, "state": "restarted"}
