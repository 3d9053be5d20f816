"""``cosec doctor``: check that two models fit together, what they cost, and that the decoding law holds here."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from cosec.cli.runtime_flag import Runtime
from cosec.cli.text_target import AddressFlags, refuse_address, refuse_without_effect
from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.decoding.examined import Examined
from cosec.errors import SettingsError


def doctor(
    target: str,
    security: str = "default",
    /,
    *,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    runtime: Runtime = "auto",
    server: Annotated[AddressFlags | None, Parameter(name="*")] = None,
) -> None:
    """Check that a target and a security model fit together; the exit code is 1 if they do not.

    Compares families, vocabularies, the adapter and the memory need without loading weights (llama.cpp opens them and
    scores a few tokens), then runs the self-test of the decoding law.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        dtype: Type in which the weights would be loaded; auto is float32, as on a CPU.
        runtime: What would run the models.
        server: Where a target at a URL is.
    """
    from cosec.decoding.examination import examine, examine_server

    server = server or AddressFlags()
    if is_url(target):
        defaults = {"dtype": "auto", "runtime": "auto"}
        refuse_without_effect({"dtype": dtype, "runtime": runtime}, defaults, "with a URL as TARGET")
        try:
            found = examine_server(server.address(target), security)
        except SettingsError as error:
            found = [Examined(subject="target", good=False, text=str(error))]
    else:
        refuse_address(server)
        found = examine(target, security, dtype, runtime)
    for one in found:
        mark = "ok  " if one.good else "FAIL"
        print(f"{mark} {one.subject:<12}{one.text}", flush=True)  # noqa: T201 - plain lines
    if not all(one.good for one in found):
        sys.exit(1)
