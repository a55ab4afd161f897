"""One self-contained HTML page about a study: answer, pictures, physics, training, provenance."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swsr.atomic import write_text
from swsr.chain_record import describe_software, read_records, summarise
from swsr.drawing.report_pictures import draw_charts, draw_frames, draw_spread
from swsr.evaluation.evaluated import Evaluated
from swsr.evaluation.gate import FIGURES, split_key
from swsr.evaluation.tables import LABELS, figure_label, figure_unit
from swsr.page import Table, read_tables, read_text, render
from swsr.provenance import COARSE_RUN
from swsr.run import Run
from swsr.settings import Role


def report(
    stores: Mapping[str, Path],
    series: Mapping[str, Role],
    evaluation: Path,
    training: Mapping[str, Path],
    study: Path,
    output: Path,
    run: Run,
) -> None:
    """Write `report.html`.

    Parameters
    ----------
    stores
        As for `evaluate`.
    series
        Name -> whether it trains or tests.
    evaluation
        Folder that `evaluate` wrote.
    training
        `train_2d`, `train_3d/raw`, `train_3d/processed`, `train_joint` -> folder of that training.
    study
        Folder of the study, for settings and provenance.
    output
        Folder of the report.
    """
    found = Evaluated.read(stores, evaluation)
    names = [name for name in series if name in set(found.frames["series"])]
    page = render(
        "page.html.j2",
        {"study": study.name, "series": names[-1]}
        | {"coarse_runs": COARSE_RUN in found.open("low", names[-1]).attrs}
        | _answer(found)
        | draw_frames(found, names[-1])
        | draw_charts(found, training)
        | {"spread_maps": draw_spread(found, names[-1])}
        | _tables(found)
        | _record(study),
    )
    write_text(output / "report.html", page)
    run.say(f"{output / 'report.html'}: {len(page) / 1e6:.1f} MB, opens in any browser, offline")


def _answer(found: Evaluated) -> dict[str, Any]:
    base, best = found.metrics["bicubic"]["psnr"], found.metrics[found.best]["psnr"]
    assert base is not None and best is not None
    verdicts = json.loads(found.text("gate.json"))
    known = [v for v in verdicts[found.best].values() if v != "not available"]
    label, better = LABELS[found.best], known.count("better")
    counts = f"it is better on {better} of {len(known)} figures"
    if best > base:
        everywhere = "Yes" if "worse" not in known else "Yes, but not on every figure"
        answer = f"{everywhere}: {label}, {best:.2f} dB, {best - base:+.2f} dB; {counts}."
    else:
        answer = f"No: the best is {label}, {best:.2f} dB, {best - base:+.2f} dB; {counts}."
    num_frames = found.frames.groupby("series")["frame"].nunique()
    where = ", ".join(f"{count} of {name}" for name, count in num_frames.items())
    basis = f"Test frames: {where}. No network has seen them."
    further = ", ".join(found.predictors)
    if further and found.networks - {"network_3d_raw"}:
        basis += f" 2D and joint networks also read {further} at low resolution."
    return {
        "question": "Do the networks restore the frames better than bicubic interpolation?",
        "answer": answer,
        "good": best > base and "worse" not in known,
        "best": label,
        "basis": basis,
        "result": _result_table(found, verdicts, found.units),
    }


def _result_table(
    found: Evaluated, verdicts: Mapping[str, Mapping[str, str]], units: Mapping[str, str]
) -> Table:
    first = next(iter(units))
    keys = ["ssim", f"rmse_{first}", f"resolution_km_{first}"]
    base = found.metrics["bicubic"]["psnr"] or 0
    rows = []
    for method, figures in found.metrics.items():
        of_method = list(verdicts.get(method, {}).values())
        known = len(of_method) - of_method.count("not available")
        count = f"{of_method.count('better')} of {known}" if of_method else "–"
        worse = f"{of_method.count('worse')} (!)" if "worse" in of_method else "0"
        psnr = figures["psnr"] or 0
        cells = [FIGURES[split_key(key)[0]].text(figures[key]) for key in keys]
        counts = [count, worse if of_method else "–"]
        rows.append([LABELS[method], f"{psnr:.2f}", f"{psnr - base:+.2f}", *counts, *cells])
    labels = [f"{figure_label(key)} ({figure_unit(key, units)})" for key in keys]
    header = ["test frames", "PSNR (dB)", "gain (dB)", "better on", "worse on", *labels]
    return Table("Result", header, rows)


def _tables(found: Evaluated) -> dict[str, Any]:
    physics = found.text("physics.md")
    return {
        "physics": read_tables(physics)[0],
        "meanings": read_text(physics),
        "gate": read_text(found.text("summary.md")),
        "study_tables": read_tables(found.text("tables.md")),
    }


def _record(study: Path) -> dict[str, Any]:
    records = read_records(study)
    chain = summarise(records)
    for name in ("seconds", "start-up"):
        chain[name] = chain[name].map("{:.0f}".format)
    chain["node-hours"] = chain["node-hours"].map("{:.3f}".format)
    settings = {
        path.stem: json.dumps(json.loads(path.read_text()), indent=2)
        for path in sorted((study / "settings").glob("*.json"))
    }
    rows = [[str(cell) for cell in row] for row in chain.itertuples(index=False)]
    software = [list(pair) for pair in describe_software(records).items()]
    return {
        "chain": Table("The chain", list(map(str, chain)), rows),
        "software": Table("Software", ["software", "version"], software),
        "settings": settings,
    }
