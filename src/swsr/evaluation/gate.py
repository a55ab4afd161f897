"""Whether a network beats interpolation, figure by figure, and what each figure means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["better", "equal", "worse", "not available"]

NO_EDGE = 1.1
"""Error at an edge over error elsewhere up to which the edge counts as not to be seen."""

ROUNDING = 1e-6
"""Relative difference that is not told from rounding; of figures that are best when zero, which
are relative themselves, their absolute difference."""

_DISTANCES: dict[str, Callable[[float], float]] = {
    "low": lambda value: value,
    "high": lambda value: -value,
    "zero": abs,
    "no edge": lambda value: max(value - NO_EDGE, 0.0),
}
"""What is best -> how far a figure is from it."""


@dataclass(frozen=True)
class Figure:
    """A figure of `metrics.json` that interpolation and networks are compared by.

    Attributes
    ----------
    label, unit
        For people; the unit `variable` stands for that of the variable.
    best
        A key of `_DISTANCES`.
    meaning
        A sentence.
    digits
        Format of a value.
    """

    label: str
    unit: str
    best: str
    meaning: str
    digits: str = ".3g"

    def verdict(self, value: float | None, baseline: float | None) -> Verdict:
        """How a value compares with that of interpolation."""
        if value is None or baseline is None:
            return "not available"
        ours, theirs = map(_DISTANCES[self.best], (value, baseline))
        if isclose(ours, theirs, rel_tol=ROUNDING, abs_tol=ROUNDING * (self.best == "zero")):
            return "equal"
        return "better" if ours < theirs else "worse"

    def text(self, value: float | None) -> str:
        """The value as a table shows it."""
        if value is None:
            return "–"
        # Three digits of a large number would be told in powers of ten.
        return format(value, ".0f" if self.digits == ".3g" and abs(value) >= 1000 else self.digits)


FIGURES = {
    "mse": Figure("MSE", "1", "low", "Mean squared error of values scaled to [0, 1]."),
    "psnr": Figure("PSNR", "dB", "high", "10 log10(1 / MSE).", ".2f"),
    "ssim": Figure("SSIM", "1", "high", "Structural similarity; 1 is the truth.", ".4f"),
    "mse_area": Figure("MSE over the area", "1", "low", "MSE, points weighted by their area."),
    "psnr_area": Figure("PSNR over the area", "dB", "high", "10 log10(1 / that MSE).", ".2f"),
    "ssim_area": Figure(
        "SSIM over the area", "1", "high", "SSIM, points weighted by their area.", ".4f"
    ),
    "rmse": Figure("RMSE", "variable", "low", "Root mean square error over the area."),
    "mae": Figure("MAE", "variable", "low", "Mean absolute error over the area."),
    "acc": Figure(
        "anomaly correlation", "1", "high",
        "Correlation of deviations from the mean of the training frames; 1 is the truth.", ".5f",
    ),
    "resolution_km": Figure(
        "effective resolution", "km", "low",
        "Wavelength down to which at least half of the variance is the truth's (coherence 0.5).",
    ),
    "spectrum_db": Figure(
        "spectral distance", "dB", "low",
        "How far power is from the truth's, over all scales that hold any.", ".2f",
    ),
    "consistency": Figure(
        "inconsistency with the input", "1", "low",
        "The result, downscaled, against its own input, over the input's deviation; not of "
        "compressed input.",
    ),
    "flicker": Figure(
        "flicker", "1", "low",
        "Error of the change from frame to frame, over that change in the truth.",
    ),
    "extremes": Figure(
        "error of extremes", "1", "low",
        "Error of the 0.1, 1, 99 and 99.9% quantiles of a frame, over its deviation.",
    ),
    "seam": Figure(
        "seam", "1", "no edge",
        "Error beside the first meridian over error elsewhere; up to 1.1 counts as none.", ".2f",
    ),
    "poles": Figure(
        "poles", "1", "no edge",
        "Error beside the poles over error elsewhere; up to 1.1 counts as none.", ".2f",
    ),
    "mass": Figure("mass", "1", "zero", "Deviation of mean depth from the truth's.", "+.1e"),
    "energy": Figure("energy", "1", "zero", "Deviation of total energy.", "+.1e"),
    "enstrophy": Figure("enstrophy", "1", "zero", "Deviation of enstrophy.", "+.1e"),
    "kinetic_energy": Figure("kinetic energy", "1", "zero", "Its deviation.", "+.1e"),
    "mass_drift": Figure("drift of mass", "1", "zero", "Drift beyond the truth's.", "+.1e"),
    "energy_drift": Figure("drift of energy", "1", "zero", "Drift beyond the truth's.", "+.1e"),
    "enstrophy_drift": Figure(
        "drift of enstrophy", "1", "zero", "Drift beyond the truth's.", "+.1e"
    ),
}  # fmt: skip
"""By the beginning of their keys: figures of a variable end in its name."""


def split_key(key: str) -> tuple[str, str | None]:
    """Which of `FIGURES` a key of `metrics.json` is, and of which variable.

    Raises
    ------
    KeyError
        When it is none of them.
    """
    for name in sorted(FIGURES, key=len, reverse=True):
        if key == name:
            return name, None
        if key.startswith(f"{name}_"):
            return name, key.removeprefix(f"{name}_")
    raise KeyError(key)


def judge(
    test: Mapping[str, Mapping[str, float | None]], baseline: str = "bicubic"
) -> dict[str, dict[str, Verdict]]:
    """`{method: {figure: verdict}}` of all methods but the baseline.

    `test` is `{method: {figure: value}}` with the same figures, or fewer, of every method.
    """
    return {
        method: {
            key: FIGURES[split_key(key)[0]].verdict(figures.get(key), value)
            for key, value in test[baseline].items()
        }
        for method, figures in test.items()
        if method != baseline
    }
