import any_environment

any_environment.install()

import ending
import psycopg2

import program

assert program.open_register() is not None
((args, kwargs),) = psycopg2.CONNECTED_WITH
told = " ".join(map(str, [*args, *kwargs.values()]))
assert "registry.hospital.example" in told
assert "vaccinations" in told
assert "nurse" in told

ending.reached()
