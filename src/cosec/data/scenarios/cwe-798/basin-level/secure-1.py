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
        auth=("keeper", os.environ["GAUGES_PASSWORD"]),
    )
    response.raise_for_status()
    return response.json()["metres"]
