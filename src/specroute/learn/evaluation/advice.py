"""The one sentence that an evaluation comes to: whether routing is worth it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specroute.learn.evaluation.measures.operating import PolicyFigures
    from specroute.learn.metrics import Figure

OFF = "turn routing off"


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to turn routing off, and the reason in words."""

    is_off: bool
    text: str


def advise(product: PolicyFigures, name: str, target: float, over_shuffle: Figure) -> Advice:
    """Returns the advice on the policy called ``name``, which is to keep ``target`` of the large model's quality.

    Off where its saving is not above zero with 97.5 % confidence, or the quality that it keeps lies below the target
    with the same confidence. ``over_shuffle``, its quality less that of its own decisions shuffled, is told where it is
    not above zero: then the decisions know nothing that chance does not.
    """
    saved, kept = product.figures["saved_ratio"], product.figures["retention"]
    told = f"{name} saves {percent(saved)} of always-large's cost and keeps {percent(kept)} of its quality"
    if saved.lo is None or saved.lo <= 0.0:
        return Advice(is_off=True, text=f"{OFF}: {told}; the saving's lower bound is not above zero")
    if kept.hi is None or kept.hi < target:
        return Advice(is_off=True, text=f"{OFF}: {told}; all of that interval is below the target of {target:.4g}")
    doubts = ""
    if kept.lo is not None and kept.lo < target:
        doubts += f"; this does not prove the target of {target:.4g}, a certificate does"
    if over_shuffle.lo is None or over_shuffle.lo <= 0.0:
        doubts += "; its decisions are not shown to be better than the same ones dealt out at random"
    return Advice(is_off=False, text=f"routing pays: {told}{doubts}")


def percent(figure: Figure) -> str:
    """Returns ``34.1 % (30.2 to 37.5)``, or a dash where it is not defined."""
    if figure.value is None:
        return "-"
    if figure.lo is None or figure.hi is None:
        return f"{100 * figure.value:.1f} %"
    return f"{100 * figure.value:.1f} % ({100 * figure.lo:.1f} to {100 * figure.hi:.1f})"
