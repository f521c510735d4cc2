"""A run as reports take it: what was asked, what was found, recommended and confirmed so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.tuning.findings import Answer
from specroute.tuning.recommended.words import percent

if TYPE_CHECKING:
    from specroute.tuning.confirm.compared import Confirmation
    from specroute.tuning.findings import Found
    from specroute.tuning.recommended.recommend import Recommendation
    from specroute.tuning.targets import Targets

HEADLINES = {
    Answer.ROUTE: "Route: use the recommended configuration.",
    Answer.ALWAYS_LARGE: "Do not route: send everything to the large model.",
    Answer.ALWAYS_MINI: "Do not route: send everything to the mini.",
}
STOPPED = "Stopped before an answer was found."


@dataclass(frozen=True, slots=True)
class Run:
    """What there is to tell; ``None``: the run did not come so far, or there is none.

    Attributes:
        command: what gives the same figures.
        pair, targets: as asked.
        stage: what was being done last.
        is_partial: whether the run was stopped.
        left_out: rows of the pair without both recorded answers or without a grade.
    """

    command: str
    pair: str
    targets: Targets
    stage: str
    is_partial: bool
    left_out: int = 0
    found: Found | None = None
    recommendation: Recommendation | None = None
    confirmation: Confirmation | None = None

    @property
    def headline(self) -> str:
        """The answer in one line."""
        return STOPPED if self.found is None else HEADLINES[self.found.advice.answer]

    @property
    def certificate(self) -> str:
        """What is proved of the recommendation, and what the proved alternative saves; in a sentence or two."""
        if self.found is None:
            return ""
        own = self.found.certified
        if own is None:
            return "Nothing could be certified: what is found is tuned and measured, not proved."
        if own.certificate.always_large or own.covers_recommended:
            return own.note
        saved, kept = percent(own.effect.saved_ratio), percent(own.effect.retention)
        return f"{own.note} The certified alternative saves {saved} and keeps {kept} of the quality."

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, a sentence each; what the confirmation disagrees about last."""
        found = () if self.found is None else self.found.advice.reasons
        confirmed = () if self.confirmation is None else self.confirmation.disagreements
        stopped = (f"The run was stopped while {self.stage}: what comes after that is missing.",)
        notes = () if self.recommendation is None else self.recommendation.notes
        return (*found, *notes, *confirmed, *(stopped if self.is_partial else ()))
