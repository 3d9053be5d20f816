"""Messages about bodies that do not fit."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from cosec.serving.api_errors import of_validation


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    strength: float = 1.0


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str
    settings: Settings | None = None
    parts: list[Settings] = []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "The body is not valid JSON: EOF while parsing an object at line 1 column 1."),
        ("[1]", "body: input should be an object."),
        (
            '{"prompt": "x", "sttings": {}}',
            "Unknown field: sttings. Did you mean settings? Leave out fields that this server does not know.",
        ),
        (
            '{"prompt": "x", "n": 1, "settings": {"strenght": 2}, "parts": [{"colour": 1}, {"strengt": 2}]}',
            "Unknown fields: settings.strenght, parts.0.colour, parts.1.strengt, n. Did you mean settings.strength, "
            "parts.1.strength? Leave out fields that this server does not know.",
        ),
        ('{"prompt": "x", "n": 1}', "Unknown field: n. Leave out fields that this server does not know."),
    ],
)
def test_a_body_that_does_not_fit_is_told_in_a_sentence(body: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate_json(body)
    assert of_validation(caught.value, Body).message == said
