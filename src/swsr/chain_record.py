"""What was run, from the provenance beside every result: stages, seconds, hosts, versions."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

_COLUMNS = ("stage", "results", "taken over", "seconds", "start-up", "ranks", "hosts", "node-hours")
_SUMMED = ("results", "taken over", "seconds", "start-up", "node-hours")


def read_records(study: Path) -> list[dict[str, Any]]:
    """All provenance of a study, oldest first; what cannot be read is left out."""
    records = []
    for path in study.rglob("*provenance.json"):
        if "experiments" in path.relative_to(study).parts:  # studies of their own
            continue
        try:
            record = json.loads(path.read_text())
            records.append(record | {"stage": record["command"][1]})
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            continue
    return sorted(records, key=lambda record: str(record["started"]))


def summarise(records: list[dict[str, Any]]) -> pd.DataFrame:
    """A row per stage, in the order in which they first ran, and a last one for all.

    Columns: stage, results, taken over, seconds, start-up (how many of them went into imports and
    the start of ranks), ranks (most), hosts, node-hours. Results that were taken over from another
    study took their seconds there.
    """
    rows = []
    for stage in dict.fromkeys(record["stage"] for record in records):
        of_stage = [record for record in records if record["stage"] == stage]
        rows.append(
            {
                "stage": stage,
                "results": len(of_stage),
                "taken over": sum(bool(r.get("taken_over_from")) for r in of_stage),
                "seconds": sum(r["seconds"] for r in of_stage),
                "start-up": sum(r.get("startup_seconds", 0.0) for r in of_stage),
                "ranks": max(r["ranks"] for r in of_stage),
                "hosts": ", ".join(sorted({r["host"] for r in of_stage})),
                "node-hours": sum(r["seconds"] * r.get("nodes", 1) for r in of_stage) / 3600,
            }
        )
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    if rows:
        sums = {name: table[name].sum() for name in _SUMMED}
        hosts = ", ".join(sorted({record["host"] for record in records}))
        last = {"stage": "all", "ranks": table["ranks"].max(), "hosts": hosts} | sums
        table = pd.concat([table, pd.DataFrame([last])], ignore_index=True)
    return table


def describe_software(records: list[dict[str, Any]]) -> dict[str, str]:
    """Versions, commits and packages that made the results: name -> all that were found."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        values = {"swsr": record["version"], "commit": record["commit"], "Python": record["python"]}
        for name, value in (values | record["packages"]).items():
            if value:
                found.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(values) for name, values in found.items()}
