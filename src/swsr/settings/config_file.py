"""What a reader of YAML would not tell of a config file."""

from pathlib import Path
from typing import Any

import yaml


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, of which YAML's readers take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            line = node.start_mark.line + 1
            raise ValueError(
                f"{twice[0]} stands twice in what begins in line {line}: write it once"
            )
        return super().construct_mapping(node, deep)


def check_keys(path: Path) -> None:
    """Check that no key of a config file stands twice.

    Raises
    ------
    ValueError
        With the key that does.
    """
    try:
        yaml.load(path.read_text(encoding="utf-8-sig"), _UniqueKeys)  # noqa: S506
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
