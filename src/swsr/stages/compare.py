"""The figures of a study and of its experiments side by side, for people and for programs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from swsr.atomic import write_text
from swsr.drawing import plots
from swsr.evaluation import tables
from swsr.experiments import name_of, trained_by
from swsr.provenance import provenance_path
from swsr.run import Run
from swsr.settings import INTERPOLATIONS


def compare(
    evaluations: Mapping[str, Path], training: Mapping[str, Path], output: Path, run: Run
) -> None:
    """Write `table.md`, `table.csv` and `table.png`.

    Parameters
    ----------
    evaluations
        Folder of each study below the results -> folder that `evaluate` wrote for it.
    training
        STUDY/STAGE -> folder of that training, of all studies.
    output
        Folder of the results.
    """
    found = pd.DataFrame(
        row for study, folder in evaluations.items() for row in _rows(study, folder, training)
    )
    found = _asked_for(found)
    summary = _over_seeds(found)
    write_text(output / "table.csv", found.to_csv(index=False))
    write_text(output / "table.md", tables.comparison_table(summary))
    plots.draw_ranking(summary, output / "table.png")
    run.say(f"{len(evaluations)} studies\n" + tables.comparison_table(summary))


def _rows(study: str, folder: Path, training: Mapping[str, Path]) -> Iterator[dict[str, object]]:
    """All figures of the test frames, by method, and what the last training of each cost."""
    test = json.loads((folder / "metrics.json").read_text())["test"]
    for method, figures in test.items():
        place: dict[str, object] = {"experiment": name_of(study), "study": study, "method": method}
        cost = {}
        if method not in INTERPOLATIONS:
            cost = _cost(training[f"{study}/{trained_by(method)}"])
        gain = figures["psnr"] - test["bicubic"]["psnr"]
        yield place | {"gain": gain} | cost | figures


def _cost(folder: Path) -> dict[str, object]:
    metrics = json.loads((folder / "metrics.json").read_text())
    record = json.loads(provenance_path(folder).read_text())
    return {
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        # Of all its epochs: the job that ended it may have resumed it, or taken it over.
        "seconds": pd.read_csv(folder / "history.csv")["seconds"].sum(),
        "ranks": record["ranks"],
    }


def _asked_for(found: pd.DataFrame) -> pd.DataFrame:
    """Without methods that further seeds have only as members of an ensemble.

    A mean over the further seeds alone would pass for one over all.
    """
    first = found.groupby("experiment")["study"].transform("first") == found["study"]
    return found.merge(found.loc[first, ["experiment", "method"]])


def _over_seeds(found: pd.DataFrame) -> pd.DataFrame:
    """A row per experiment and method: means over seeds, the standard deviation of PSNR.

    Interpolation, which has no seed, is named again only where its frames differ.
    """
    rows = found.groupby(["experiment", "method"], sort=False)
    summary = rows.mean(numeric_only=True)
    interpolated = summary.index.get_level_values("method").isin(INTERPOLATIONS)
    # A mean of equal numbers may be off by rounding.
    summary[interpolated] = rows.first(numeric_only=True)[interpolated]
    summary["psnr_deviation"] = rows["psnr"].std()
    summary["seeds"] = rows.size().astype(float)
    if "members" in summary:  # an ensemble is one result of all seeds
        summary["seeds"] = summary["members"].fillna(summary["seeds"])
    summary.loc[interpolated, ["psnr_deviation", "seeds"]] = float("nan")
    summary = summary.reset_index()
    again = summary["method"].isin(INTERPOLATIONS) & summary.duplicated(["method", "psnr"])
    return summary[~again].reset_index(drop=True)
