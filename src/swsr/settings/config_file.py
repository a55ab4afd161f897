"""What a reader of YAML or JSON would not tell of a config file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml


class _UniqueKeys(yaml.SafeLoader):
    """Refuses keys that stand twice, as they are written: before anchors are merged into others."""

    def compose_mapping_node(self, anchor: dict[Any, Any]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        _check(names, f" in what begins in line {node.start_mark.line + 1}")
        return node


def check_keys(path: Path) -> None:
    """Check that no key of a config file stands twice, of which readers take the last.

    Raises
    ------
    ValueError
        With the key that does.
    """
    text = path.read_text(encoding="utf-8-sig")
    try:
        try:
            json.loads(text, object_pairs_hook=lambda pairs: _check(name for name, _ in pairs))
        except json.JSONDecodeError:
            yaml.compose(text, _UniqueKeys)
    except yaml.YAMLError:
        return  # which Snakemake has told of
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check(keys: Iterable[str], where: str = "") -> None:
    names = list(keys)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]} stands twice{where}: write it once")
