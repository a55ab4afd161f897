"""What every section of the settings is, and errors of one line for what does not fit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator


class Strict(BaseModel):
    """A section of the settings: frozen; unknown keys are errors, and so is an infinite number."""

    # Built at first use: a stage needs few of all sections, and each start would build all.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _truth_values_are_no_numbers(cls, data: Any) -> Any:
        """Pydantic would take `epochs: yes` for 1."""
        for key, value in data.items() if isinstance(data, Mapping) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field and field.annotation is not bool:
                raise ValueError(
                    f"{key} is {str(value).lower()}, which YAML makes of yes, no, on and off too: "
                    "write a number, or text in quotes"
                )
        return data

    def to_json(self) -> str:
        """Canonical JSON: equal settings give equal bytes, whatever their order was."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


Model = TypeVar("Model", bound=Strict)


def read_stage_settings(path: Path, model: type[Model]) -> Model:
    """Settings of one stage from the file that the workflow wrote for it.

    Raises
    ------
    ValueError
        When the file is missing, not JSON, or does not hold these settings.
    """
    try:
        return model.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{path}: no such settings file") from None
    except ValidationError as error:
        raise ValueError("; ".join(sentences(error, str(path)))) from None


def sentences(error: ValidationError, origin: str) -> list[str]:
    """What is wrong, a sentence for each key; `origin` is what to call the settings."""
    found = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            found.append(f"{origin}: unknown key {key}: remove it or mend its spelling")
        elif problem["loc"][-1:] == ("[key]",):
            section = ".".join(str(part) for part in problem["loc"][:-2])
            found.append(
                f"{origin}: {section} names {problem['input']!r}, which is no text: quote it "
                "(YAML takes on, yes and 1 for something else)"
            )
        elif problem["type"] == "missing":
            found.append(f"{origin}: key {key} is missing")
        elif problem["type"] == "value_error":
            found.append(f"{origin}: {problem['ctx']['error']}")
        else:
            found.append(f"{origin}: {key} is {problem['input']!r}: {problem['msg']}")
    return found
