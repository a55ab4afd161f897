"""Markdown tables: a short summary, and the reference study's tables with our figures."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from swsr.evaluation.gate import FIGURES, Verdict, split_key
from swsr.settings import INTERPOLATIONS

LABELS = {
    "bicubic": "bicubic interpolation",
    "network_2d": "2D network",
    "network_3d_raw": "3D on interpolated frames",
    "combined_raw": "2D, then 3D trained on interpolated frames",
    "network_3d_processed": "2D, then 3D trained on 2D results",
    "joint": "joint network",
    "spectral": "spectral interpolation",
    "constrained_2d": "2D network, consistent with its input",
    "constrained_3d": "2D, then 3D, consistent with their input",
    "constrained_joint": "joint network, consistent with its input",
    "ensemble_2d": "mean of 2D networks",
    "ensemble_3d": "mean of 2D, then 3D networks",
    "ensemble_joint": "mean of joint networks",
    "result": "the result",
}

_PICTURED = {
    "2D network": "network_2d",
    "2D then 3D": "network_3d_processed",
    "joint network": "joint",
}
"""Networks that pictures of frames show, under shorter names."""

STUDY_PSNR = {
    ("2D, before", "train"): 7.68,
    ("2D, before", "validation"): 10.69,
    ("2D, after", "train"): 41.88,
    ("2D, after", "validation"): 41.53,
    ("3D on raw, input", "test"): 13.85,
    ("3D on raw, before", "train"): 14.74,
    ("3D on raw, before", "validation"): 15.53,
    ("3D on raw, after", "train"): 16.47,
    ("3D on raw, after", "validation"): 16.37,
    ("3D on raw, output", "test"): 16.45,
    ("3D on 2D results, input", "test"): 42.10,
    ("3D on 2D results, before", "train"): 15.37,
    ("3D on 2D results, before", "validation"): 27.21,
    ("3D on 2D results, after", "train"): 43.40,
    ("3D on 2D results, after", "validation"): 43.07,
    ("3D on 2D results, output", "test"): 43.35,
}
"""PSNR in dB of the study (Zhu and Gao, "Reconstruction of High Resolution Images Using Deep
Learning", its tables of the three trainings): before and after them, and of their test frames."""

STUDY_CHAIN = {
    "combined_raw": "41.20, 40.91, 20.18 dB",
    "network_3d_processed": "42.37, 42.10, 43.35 dB",
}
"""The study's table of the combined chain: after 2D, after packing, after 3D."""


def pictured(psnr: Mapping[str, float]) -> dict[str, str]:
    """Label -> network, of those that pictures of frames show.

    `psnr` is that of every method on test frames; where none of the usual networks is among them,
    the best of the others is shown.
    """
    usual = {label: method for label, method in _PICTURED.items() if method in psnr}
    others = psnr.keys() - set(INTERPOLATIONS)
    best = max(others, key=lambda method: psnr[method])
    return usual or {LABELS[best]: best}


def summary_table(test: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of each method on the test set, and what it gains over interpolation."""
    baseline = test["bicubic"]["psnr"]
    rows = [
        [
            LABELS[method],
            f"{figures['psnr']:.2f}",
            f"{figures['psnr'] - baseline:+.2f}",
            f"{figures['ssim']:.4f}",
            f"{figures['mse']:.3e}",
        ]
        for method, figures in test.items()
    ]
    return _table(["test frames", "PSNR (dB)", "gain (dB)", "SSIM", "MSE"], rows)


def study_tables(means: pd.DataFrame, trained: Mapping[str, Mapping[str, Any]]) -> str:
    """The two tables of the study, with our figures and its own.

    Parameters
    ----------
    means
        Columns set, method, points (`inner` or `all`), mse, psnr, ssim.
    trained
        Stage -> what that training measured before and after: `train_2d`, `train_3d/raw`,
        `train_3d/processed`, or fewer.
    """
    test = {
        (row["method"], row["points"]): {str(key): value for key, value in row.items()}
        for row in means[means["set"] == "test"].to_dict("records")
    }
    return "\n".join(
        [
            "## Training and test\n",
            _table(
                ["experiment", "set", "MSE", "SSIM", "PSNR (dB)", "reference study"],
                _experiment_rows(test, trained),
            ),
            "## Combined chain, test frames\n",
            _table(
                ["chain", "after 2D", "after packing", "after 3D", "reference study"],
                _chain_rows(test),
            ),
            "Values are scaled to [0, 1] by the training frames. Rows of training and validation",
            "are of whole frames. Rows of the test are of the centre frames of packs of five,",
            "without the border of two points, as in the reference study; packing drops the first",
            "and last two frames.\n",
            "The reference study (Zhu and Gao) has another simulation, 120 frames, and 150, 100",
            "and 80 epochs (2D, 3D on raw, 3D on 2D results): its figures show the pattern, not a",
            "contest.\n",
        ]
    )


_Test = Mapping[tuple[str, str], dict[str, float]]


def _experiment_rows(test: _Test, trained: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    rows = []
    if "train_2d" in trained:
        rows += _training_rows("2D", trained["train_2d"])
    for stage, label, before, after in (
        ("train_3d/raw", "3D on raw", "bicubic", "network_3d_raw"),
        ("train_3d/processed", "3D on 2D results", "network_2d", "network_3d_processed"),
    ):
        if stage in trained and (before, "inner") in test:
            rows.append(_row(f"{label}, input", "test", test[before, "inner"]))
        if stage in trained:
            rows += _training_rows(label, trained[stage])
        if (after, "inner") in test:
            rows.append(_row(f"{label}, output", "test", test[after, "inner"]))
    return rows


def _chain_rows(test: _Test) -> list[list[str]]:
    steps = [("network_2d", "all"), ("network_2d", "inner")]
    rows = []
    for label, method in (("raw frames", "combined_raw"), ("2D results", "network_3d_processed")):
        if any(step not in test for step in (*steps, (method, "inner"))):
            continue
        figures = [test[step] for step in (*steps, (method, "inner"))]
        cells = [f"{each['psnr']:.2f} dB, {each['ssim']:.5f}" for each in figures]
        rows.append([f"3D trained on {label}", *cells, STUDY_CHAIN[method]])
    return rows


def comparison_table(summary: pd.DataFrame) -> str:
    """A row per experiment and method, means over seeds.

    Parameters
    ----------
    summary
        Columns experiment, method, seeds, psnr, psnr_deviation, gain, ssim, and of networks
        parameters, epochs, seconds.
    """
    rows = [
        [
            row["experiment"],
            LABELS[row["method"]],
            f"{row['psnr']:.2f}" + _deviation(row["psnr_deviation"]),
            f"{row['gain']:+.2f}",
            f"{row['ssim']:.4f}",
            *(_whole(row[key]) for key in ("seeds", "parameters", "epochs", "seconds")),
        ]
        for row in summary.to_dict("records")
    ]
    header = ["experiment", "test frames", "PSNR (dB)", "gain (dB)", "SSIM"]
    header += ["seeds", "parameters", "epochs", "training (s)"]
    notes = [
        "Means over seeds; ± is their standard deviation. Interpolation has no seed. Parameters,",
        "epochs and seconds are of the last training of a chain, and of one seed; seconds are by",
        "the clock, whatever ran beside it.",
    ]
    return _table(header, rows, left=2) + "\n" + "\n".join(notes) + "\n"


def _deviation(value: float) -> str:
    return "" if pd.isna(value) else f" ± {value:.2f}"


def _whole(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}"


def gate_lines(verdicts: Mapping[str, Mapping[str, Verdict]]) -> str:
    """A line per network: on how many figures it beats interpolation, and on which it does not."""
    lines = []
    for method, of_figures in verdicts.items():
        if method in INTERPOLATIONS:
            continue
        known = {key: verdict for key, verdict in of_figures.items() if verdict != "not available"}
        better = sum(verdict == "better" for verdict in known.values())
        line = f"- {LABELS[method]}: better than interpolation on {better} of {len(known)} figures"
        for verdict, verb in (("worse", "WORSE on"), ("equal", "as good on")):
            keys = [figure_label(key) for key, each in known.items() if each == verdict]
            line += f"; {verb} {', '.join(keys)}" if keys else ""
        unknown = len(of_figures) - len(known)
        line += f"; {unknown} not available" if unknown else ""
        lines.append(line)
    return "\n".join(lines) + "\n"


def spread_lines(test: Mapping[str, Mapping[str, float | None]]) -> str:
    """A line per ensemble and variable: what its spread says of its error."""
    lines = []
    for method, figures in test.items():
        for key, ratio in figures.items():
            if key.startswith("spread_") and "members" in figures and ratio is not None:
                lines.append(
                    f"- {LABELS[method]}, {figures['members']:.0f} of them: their spread in "
                    f"{key.removeprefix('spread_')} is {ratio:.2f} of what the error calls for"
                )
    return "\n".join([*lines, ""]) if lines else ""


def physics_table(
    test: Mapping[str, Mapping[str, float | None]],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    units: Mapping[str, str],
) -> str:
    """Every figure of every method on the test set; those that interpolation beats are marked.

    Parameters
    ----------
    test
        `{method: {figure: value}}`.
    verdicts
        As `gate.judge` gives them.
    units
        Of each variable.
    """
    marks = {"worse": " (!)", "equal": " (=)"}
    rows = []
    for key in test["bicubic"]:
        cells = [
            FIGURES[split_key(key)[0]].text(test[method][key])
            + marks.get(verdicts.get(method, {}).get(key, ""), "")
            for method in test
        ]
        rows.append([figure_label(key), figure_unit(key, units), *cells])
    meanings = {figure.label: figure.meaning for figure in FIGURES.values()}
    used = {FIGURES[split_key(key)[0]].label for key in test["bicubic"]}
    return "\n".join(
        [
            _table(["test frames", "unit", *(LABELS[method] for method in test)], rows),
            "(!) worse than interpolation, (=) as good; – not available, as global figures of",
            "frames without their border, spectra of planes without a unit of length, seams and",
            "poles of planes, and changes of a single frame; inf: no scale is the truth's.\n",
            *(f"- {label}: {text}" for label, text in meanings.items() if label in used),
            "",
        ]
    )


def figure_label(key: str) -> str:
    """A key of `metrics.json` in words."""
    name, variable = split_key(key)
    return FIGURES[name].label + (f" of {variable}" if variable else "")


def figure_unit(key: str, units: Mapping[str, str]) -> str:
    """Its unit; `units` are those of the variables."""
    name, variable = split_key(key)
    unit = FIGURES[name].unit
    return units[variable] if unit == "variable" and variable else unit


def _training_rows(label: str, trained: Mapping[str, Any]) -> list[list[str]]:
    return [
        _row(f"{label}, epoch {epoch}", part, trained[when][part], f"{label}, {when}")
        for when, epoch in (("before", 0), ("after", trained["epochs"]))
        for part in ("train", "validation")
    ]


def _row(label: str, part: str, figures: Mapping[str, float], name: str | None = None) -> list[str]:
    theirs = STUDY_PSNR.get((name or label, part))
    return [
        label,
        part,
        f"{figures['mse']:.4e}",
        f"{figures['ssim']:.4f}",
        f"{figures['psnr']:.2f}",
        "–" if theirs is None else f"{theirs:.2f}",
    ]


def _table(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A table of Markdown whose first columns, `left` of them, are words."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        pairs = list(zip(cells, widths, strict=True))
        aligned = [cell.ljust(width) for cell, width in pairs[:left]]
        aligned += [cell.rjust(width) for cell, width in pairs[left:]]
        return "| " + " | ".join(aligned) + " |"

    rule = ["-" * width for width in widths[:left]]
    rule += ["-" * (width - 1) + ":" for width in widths[left:]]
    return "\n".join([line(header), line(rule), *map(line, rows)]) + "\n"
