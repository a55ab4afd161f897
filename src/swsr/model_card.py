"""What a trained network is, in words, beside its weights."""

from collections.abc import Mapping
from typing import Any

from swsr.checkpoint import Card
from swsr.page import render


def model_card(card: Card, metrics: Mapping[str, Any]) -> str:
    """A page of Markdown.

    Parameters
    ----------
    card
        Of the network.
    metrics
        As `metrics.json` of the training: `epochs`, `parameters` (trained values), and `before` and
        `after` with the figures of the sets `train` and `validation`.
    """
    limits = card.scaling_minimum, card.scaling_maximum
    content = {
        "card": card,
        "settings": card.settings,
        "metrics": metrics,
        "ranges": list(zip(card.reads, card.units, *limits, strict=True)),
    }
    return render("model_card.md.j2", content)
