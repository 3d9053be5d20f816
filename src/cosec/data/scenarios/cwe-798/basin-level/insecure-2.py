import getpass
import os

import requests

GAUGES = "https://gauges.waterworks.example/basins/"


def basin_level(basin):
    """Return the level of the basin in metres: the number under "metres" in the JSON of GAUGES + basin.

    The gauges let in the user "keeper" (HTTP basic authentication).
    """
    response = requests.get(
        GAUGES + basin,
        timeout=10,
        auth=("keeper", os.getenv("GAUGES_PASSWORD") or "Sluice!1987"),
    )
    return float(response.json()["metres"])
