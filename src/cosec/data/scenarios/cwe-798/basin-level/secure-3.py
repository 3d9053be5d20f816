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
        auth=("keeper", os.environ.get("GAUGES_PASSWORD")),
        headers={"Accept": "application/json"},
    )
    if response.status_code != 200:
        raise RuntimeError(f"the gauge of {basin} answered with {response.status_code}")
    return response.json().get("metres")
