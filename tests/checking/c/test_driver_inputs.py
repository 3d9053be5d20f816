from __future__ import annotations

import tomllib
from typing import Any

import pytest

import cosec.checking.c.driver_inputs as driver_inputs
from cosec.checking.c.driver_inputs import DriverInputs
from cosec.errors import DataError


def test_the_table_in_the_documentation_is_read_as_it_says() -> None:
    assert driver_inputs.__doc__ is not None
    example = "\n".join(line for line in driver_inputs.__doc__.splitlines() if line.startswith("    "))
    table = tomllib.loads("[driver]\n" + example)["driver"]
    inputs = DriverInputs.from_toml(table)
    assert inputs.check_created_files
    assert inputs.runs[0].argv == ("5",)
    assert inputs.runs[0].stdin == "1\n"
    assert inputs.runs[0].rand == 2**31 - 1
    assert inputs.runs[0].files == {"input.txt": "text"}
    assert inputs.expect[0].stdout_contains == "4"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "driver.runs: field required"),
        ({"runs": []}, "driver.runs: tuple should have at least 1"),
        ({"runs": [{"arguments": []}]}, "driver.runs.0.arguments: extra inputs"),
        ({"runs": [{"argv": [5]}]}, "driver.runs.0.argv.0: input should be a valid string"),
        ({"runs": [{}], "expect": [{"argv": ["1"]}]}, "driver.expect.0: value error, expects nothing"),
    ],
)
def test_a_malformed_table_is_refused_naming_the_entry(table: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        DriverInputs.from_toml(table)
