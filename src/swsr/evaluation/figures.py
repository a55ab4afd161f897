"""What a diagnosis of many frames comes to: one figure for each fault."""

import numpy as np
import pandas as pd

from swsr.evaluation import physics
from swsr.evaluation.diagnosis import RATIOS, Diagnosis, outer_labels
from swsr.evaluation.spectra import Modes, coherence, distance_db, effective_resolution, holds_power

COHERENT = 0.5
"""Coherence with the truth down to which a scale counts as resolved."""

LEAST_SHARE = 1e-6
"""Of the variance: scales that hold less of it are not compared."""


def figures(diagnosis: Diagnosis, modes: Modes | None) -> dict[str, float | None]:
    """The figures of a result over all of its frames; None where a figure is not known.

    Of each variable `resolution_km_*` (infinite where no scale is the truth's) and `spectrum_db_*`,
    from mean spectra, and the `RATIOS`; of mass, energy, enstrophy and kinetic energy the mean
    deviation from the truth as a share, of the first three also how much more they drift than in
    the truth. A share of nothing is not known.
    """
    found: dict[str, float | None] = {}
    for name in outer_labels(diagnosis.squares):
        squares = diagnosis.squares[name]
        for key, (above, below) in RATIOS.items():
            if key == "consistency" and above not in squares:  # of compressed input
                continue
            known = above in squares and squares[below].sum() > 0
            ratio = squares[above].sum() / squares[below].sum() if known else None
            found[f"{key}_{name}"] = None if ratio is None else float(np.sqrt(ratio))
        found[f"spectrum_db_{name}"] = found[f"resolution_km_{name}"] = None
        if modes is not None:
            means = diagnosis.spectra[name].mean(axis=1)
            # Where the truth has nothing, what a result has is noise beside it.
            counted = holds_power(means[1], LEAST_SHARE)
            power, truth, shared = means[:, counted]
            found[f"spectrum_db_{name}"] = distance_db(power, truth)
            length = effective_resolution(
                modes.lengths_m[counted], coherence(shared, power, truth), COHERENT
            )
            found[f"resolution_km_{name}"] = length / 1000 if length else np.inf
    return found | _invariants(diagnosis)


@np.errstate(divide="ignore", invalid="ignore")
def _invariants(diagnosis: Diagnosis) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for key in outer_labels(diagnosis.means):
        means = pd.DataFrame(diagnosis.means[key])
        found[key] = _known(np.mean(means["result"] / means["truth"]) - 1)
        drifts = [
            physics.drift(each["result"].to_numpy()) - physics.drift(each["truth"].to_numpy())
            for _, each in means.groupby("series")
            if len(each) > 1
        ]
        found[f"{key}_drift"] = _known(np.mean(drifts)) if drifts else None
    if "kinetic energy" in diagnosis.spectra:
        power, truth, _ = diagnosis.spectra["kinetic energy"].sum(axis=2)
        found["kinetic_energy"] = _known(np.mean(power / truth) - 1)
    return found


def _known(value: np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None
