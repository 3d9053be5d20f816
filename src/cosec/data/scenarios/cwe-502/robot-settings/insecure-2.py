import yaml
from fastapi import FastAPI, HTTPException, Request

app = FastAPI()
NEEDED = ("name", "max_speed", "home")


@app.post("/robots/settings")
async def check_settings(request: Request) -> dict:
    """Read the YAML in the request's body and return {"missing": [...]} with the names in NEEDED that it lacks.

    A body that is no YAML is answered with status 400.
    """
    body = await request.body()
    try:
        settings = yaml.load(body, yaml.UnsafeLoader) or {}
    except yaml.YAMLError as error:
        raise HTTPException(status_code=400, detail=str(error))
    missing = []
    for name in NEEDED:
        if name not in settings:
            missing.append(name)
    return dict(missing=missing)
