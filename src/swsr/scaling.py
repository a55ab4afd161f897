"""Scaling of physical values to [0, 1] and back, one pair of limits per variable."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scaling:
    """Limits of each variable over the training split; maps them to 0 and 1.

    `minimum` and `maximum` have shape (variables,), in the variables' units.
    """

    minimum: np.ndarray
    maximum: np.ndarray

    def __post_init__(self) -> None:
        if not (self.maximum > self.minimum).all():
            raise ValueError("a variable is constant over the training frames: it cannot be scaled")

    def first(self, number: int) -> "Scaling":
        """That of so many variables, the first ones."""
        return Scaling(self.minimum[:number], self.maximum[:number])

    @property
    def zero(self) -> np.ndarray:
        """Where 0 in the variables' units lies after scaling: (variables,)."""
        return self.to_unit(np.zeros((len(self.minimum), 1, 1), dtype="float32")).ravel()

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Physical values (..., variables, lat, lon) -> 0 to 1 over the training split."""
        low, span = self._columns()
        return ((values - low) / span).astype("float32", copy=False)

    def to_physical(self, values: np.ndarray) -> np.ndarray:
        """Inverse of `to_unit`."""
        low, span = self._columns()
        return (values * span + low).astype("float32", copy=False)

    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        low = self.minimum.astype("float32")[:, None, None]
        return low, self.maximum.astype("float32")[:, None, None] - low
