"""Tables of results: `snakemake` on a config of studies/, and what it found into docs/results.md.

    python benchmarks/results.py half [--cores 2] [--experiments ours residual srcnn fsrcnn edsr]

Results that are there already are not made again, so that an interrupted run goes on. With
`--experiments` only those run, or none, and the page says which did not. With `--block` their rows
and that of the study's 2D network alone are written, into a block of that name: for what one
command has no time for. A training has one rank, and an evaluation one thread: as many as there
are cores run side by side, but of trainings no more than `--trainings`, which is for those that
share a GPU.
"""

import argparse
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from bench import FOLDER, put
from measure import machine, table

from swsr.chain_record import read_records
from swsr.provenance import compression_of
from swsr.zarr_io import open_frames

ROOT = FOLDER.parent
PAGE = ROOT / "docs" / "results.md"
SIZES = {"half": "half size", "paper": "full size"}
"""What headings call the frames of each study."""
CHAIN = "network_3d_processed"
"""The 2D network, then the 3D network that was trained on its results, among compared methods."""
OURS = {"ours": CHAIN, "residual": CHAIN, "fused": "joint"}
"""Experiments whose networks have no more parameters than the reference networks, and the method
that ends them."""
SHARPENED = "sharpened"
"""The experiment of our 3D network after the reference 2D network."""
BASELINES = ("srcnn", "fsrcnn", "edsr")
LEAST_3D, LEAST_OURS = 1.25, 5.0
"""What the reference study's 3D network added to its 2D network, and what ours are to add; dB."""
CONTRACTED = {"ours": 2, "ours_scale_4": 4}
"""Experiments of the same network as those with a codec, and their scale."""
ONE_RANK = ("tasks=1", "communication=none")
TRAININGS = ("pretrain_2d", "train_2d", "train_3d", "train_joint")


def targets(rows: pd.DataFrame) -> str:
    """What the project set out to show, and what the run found, from compare/table.csv.

    Of `OURS` and `BASELINES` those that ran are compared.
    """
    mean = rows.groupby(["experiment", "method"])["psnr"].mean().to_dict()
    study_2d, study = mean["base", "network_2d"], mean["base", CHAIN]
    what = "reference 3D network on 2D results, above the reference 2D network"
    found = [(what, study - study_2d, LEAST_3D)]
    if (SHARPENED, CHAIN) in mean:
        gain = mean[SHARPENED, CHAIN] - study_2d
        what = f"our 3D network on the same ({SHARPENED}), above the reference 2D network"
        found.append((what, gain, LEAST_3D))
    ours = {name: mean[name, method] for name, method in OURS.items() if (name, method) in mean}
    rivals = {name: mean.get((name, "network_2d")) for name in BASELINES}
    rivals |= {name: mean["base", name] for name in ("bicubic", "spectral")}
    if ours:
        name, best = max(ours.items(), key=lambda item: item[1])
        rival, near = max(rivals.items(), key=lambda item: item[1] or 0)
        found += [
            (f"our best ({name}), above the reference chain", best - study, LEAST_OURS),
            (f"our best, above the best baseline ({rival})", best - near, 0.0),
        ]
    judged = [
        [what, f"{least:+.2f}", f"{gain:+.2f}", "yes" if gain >= least else "**no**"]
        for what, gain, least in found
    ]
    spoilt = mean["base", "combined_raw"] - study_2d
    what = "3D trained on interpolated frames, fed with 2D results"
    control = [what, "control", f"{spoilt:+.2f}"]
    header = ["PSNR of test frames, mean over seeds, dB", "target", "measured", "met"]
    return table(header, [*judged, [*control, ""]])


def compression(results: Path, rows: pd.DataFrame) -> str:
    """A table of what contraction and codecs leave of bits and frames, and `skip_2d` restores.

    Empty where none of them ran.
    """
    smaller = {name: float(scale**2) for name, scale in CONTRACTED.items()}
    for manifest in sorted(results.glob("experiments/*/downscale/seed_0.json")):
        found = compression_of(open_frames(manifest).attrs)
        if found:
            smaller[manifest.parts[-3]] = found["ratio"]
    mean = rows.groupby(["experiment", "method"])[["psnr", "gain"]].mean()
    lines = []
    for name, ratio in sorted(smaller.items(), key=lambda item: item[1]):
        if (name, "network_2d") in mean.index:
            psnr, gain = mean.loc[(name, "network_2d")]
            figures = [f"{ratio:.0f}", f"{psnr - gain:.2f}", f"{psnr:.2f}", f"{gain:+.2f}"]
            lines.append([f"`{name}`", *figures])
    header = ["frames", "compression (x)", "before (dB)", "restored (dB)", "gain (dB)"]
    return table(header, lines) if lines else ""


def all_records(results: Path) -> list[dict[str, Any]]:
    """Provenance of a study and of its experiments; what one took over from another, once."""
    folders = [results, *(path.parent for path in results.rglob("evaluate"))]
    records = [record for folder in dict.fromkeys(folders) for record in read_records(folder)]
    return [record for record in records if not record.get("taken_over_from")]


def busy_minutes(records: list[dict[str, Any]]) -> float:
    """Time in which at least one result was being made: a run may have been stopped for a while."""
    seconds, until = 0.0, 0.0
    for record in sorted(records, key=lambda record: str(record["started"])):
        start = datetime.fromisoformat(record["started"]).timestamp()
        end = start + record["seconds"]
        seconds += max(0.0, end - max(start, until))
        until = max(until, end)
    return seconds / 60


def origin(study: str, asked: list[str], left_out: list[str]) -> str:
    """What made the tables, where, when and in how much time."""
    records = all_records(ROOT / "results" / study)
    commits = sorted({str(record["commit"]) for record in records})
    hours = sum(record["seconds"] * record["ranks"] for record in records) / 3600
    made = machine()
    command = " ".join(["python benchmarks/results.py", study, *asked])
    text = (
        f"`{command}`, {made['date']}, {made['processor']}, "
        f"commit {', '.join(commits)}: {busy_minutes(records):.0f} min in which results were made, "
        f"which together took {hours:.1f} h of a core.\n"
    )
    return f"{text}\nNot run: {', '.join(left_out)}.\n" if left_out else text


def block(study: str, asked: list[str]) -> str:
    """What stands between the markers of a further block: its rows."""
    results = ROOT / "results" / study
    rows = pd.read_csv(results / "compare" / "table.csv")
    compared = (results / "compare" / "table.md").read_text()
    parts = [origin(study, asked, []), compared, compression(results, rows)]
    return "\n".join(part for part in parts if part)


def page(study: str, asked: list[str], left_out: list[str]) -> str:
    """What stands between the markers of a study."""
    results = ROOT / "results" / study
    rows = pd.read_csv(results / "compare" / "table.csv")
    compared = (results / "compare" / "table.md").read_text()
    study_tables = (results / "evaluate" / "tables.md").read_text().replace("## ", "#### ")
    return "\n".join(
        [
            origin(study, asked, left_out),
            targets(rows),
            f"### All experiments, {SIZES[study]}\n",
            compared,
            f"### Codecs and contraction, {SIZES[study]}\n",
            compression(results, rows) or "Not run.\n",
            f"### Reference networks, {SIZES[study]}, first seed\n",
            study_tables,
        ]
    )


def main() -> None:
    """Run Snakemake and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("study", choices=["half", "paper"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--trainings", type=int, help="at once; default: as many as cores")
    parser.add_argument(
        "--experiments", nargs="*", help="default: all; none: the study's own alone"
    )
    parser.add_argument("--block", metavar="NAME", help="write their rows alone, there")
    given = parser.parse_args()
    config = yaml.safe_load((ROOT / "studies" / f"{given.study}.yaml").read_text())
    if given.block:
        config["methods"] = ["network_2d"]
    wanted = config["experiments"] if given.experiments is None else given.experiments
    left_out = sorted(config["experiments"].keys() - set(wanted))
    for name in left_out:
        del config["experiments"][name]
    threads = -(-given.cores // (given.trainings or given.cores))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config, file)
        file.flush()
        subprocess.run(
            ["snakemake", "--cores", str(given.cores), "--rerun-incomplete",
             "--configfile", file.name,
             "--max-jobs-per-timespan", "1000/1m",  # see profiles/default
             "--set-threads", "evaluate=1", *(f"{rule}={threads}" for rule in TRAININGS),
             "--set-resources", *(f"{rule}:{one}" for rule in TRAININGS for one in ONE_RANK),
             "--", "all", f"results/{given.study}/compare/table.md"],
            cwd=ROOT, check=True,
        )  # fmt: skip
    asked = ["--experiments", *sorted(config["experiments"])] if left_out else []
    if given.block:
        text = block(given.study, [*asked, "--block", given.block])
    else:
        text = page(given.study, asked, left_out)
    PAGE.write_text(put(PAGE.read_text(), given.block or given.study, text))


if __name__ == "__main__":
    main()
