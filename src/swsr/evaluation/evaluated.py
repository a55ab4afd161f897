"""What an evaluation found, and the frames that it found it in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from swsr.components import units_of
from swsr.settings import INTERPOLATIONS
from swsr.zarr_io import PREDICTORS, open_frames


@dataclass(frozen=True)
class Evaluated:
    """A study's evaluation.

    Attributes
    ----------
    stores
        METHOD/SERIES -> manifest, as for `evaluate`.
    evaluation
        Folder that `evaluate` wrote.
    metrics
        Method -> figures of the test frames.
    frames
        A row for each test frame and method, of the points that all methods have.
    """

    stores: Mapping[str, Path]
    evaluation: Path
    metrics: dict[str, dict[str, float | None]]
    frames: pd.DataFrame

    @classmethod
    def read(cls, stores: Mapping[str, Path], evaluation: Path) -> "Evaluated":
        """What `evaluate` wrote to the folder `evaluation` of frames in `stores`."""
        metrics = json.loads((evaluation / "metrics.json").read_text())["test"]
        frames = pd.read_csv(evaluation / "frames.csv")
        chosen = (frames["set"] == "test") & (frames["points"] == "inner")
        return cls(stores, evaluation, metrics, frames[chosen])

    def table(self, name: str) -> pd.DataFrame:
        """A CSV file of the evaluation."""
        return pd.read_csv(self.evaluation / name)

    def text(self, name: str) -> str:
        """A file of the evaluation."""
        return (self.evaluation / name).read_text()

    def open(self, method: str, series: str) -> xr.Dataset:
        """Frames of a method."""
        return open_frames(self.stores[f"{method}/{series}"])

    @property
    def predictors(self) -> list[str]:
        """What 2D and joint networks read beside the variables."""
        series = str(self.frames["series"].iloc[0])
        return list(
            open_frames(self.stores[f"low/{series}"], predictors=True).attrs.get(PREDICTORS, [])
        )

    @property
    def best(self) -> str:
        """The network with the highest PSNR on the test frames."""
        return max(self.networks, key=self.psnr)

    @property
    def networks(self) -> set[str]:
        """Methods other than interpolation."""
        return self.metrics.keys() - set(INTERPOLATIONS)

    def psnr(self, method: str) -> float:
        """On the test frames."""
        return self.metrics[method]["psnr"] or 0

    @property
    def units(self) -> dict[str, str]:
        """Of each variable, in order."""
        series = str(self.frames["series"].iloc[0])
        return units_of(self.open("truth", series))
