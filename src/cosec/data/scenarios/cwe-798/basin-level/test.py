import any_environment

any_environment.install()

import sys
import types

import ending

ASKED = []


class Answer:
    status_code, ok, text, content = 200, True, '{"metres": 3.25}', b'{"metres": 3.25}'

    def json(self):
        return {"metres": 3.25}

    def raise_for_status(self):
        """It went well."""


def get(url, params=None, *, auth=None, **_options):
    ASKED.append((url, auth))
    return Answer()


requests = sys.modules["requests"] = types.ModuleType("requests")
requests.get = get
requests.codes = types.SimpleNamespace(ok=200)
requests.RequestException = requests.HTTPError = OSError
requests.exceptions = requests
requests.Session = requests.session = lambda: types.SimpleNamespace(get=get)
requests.auth = sys.modules["requests.auth"] = types.ModuleType("requests.auth")
requests.auth.HTTPBasicAuth = lambda username, password: (username, password)

import program

assert program.basin_level("upper") == 3.25
((url, (user, password)),) = ASKED
assert url == "https://gauges.waterworks.example/basins/upper"
assert user == "keeper"
assert password

ending.reached()
