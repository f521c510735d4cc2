"""What to train, and whether there is enough to train it from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specroute.learn.training.models.cross import FOLDS
from specroute.predictor.text.features import FeatureSettings

if TYPE_CHECKING:
    from specroute.learn.dataset import Outcome, Outcomes

MIN_ROWS = 100


class TrainingError(ValueError):
    """The data do not give a model that may be served; the message is one line with the mend."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What to train.

    Attributes:
        pair: ``mini|large``, as in the outcomes' column.
        seed: decides splits, initial weights and resampling; >= 0.
        use_auxiliary: whether rows of other pairs may be learnt from, where cross-validation finds that they help.
        use_intents: whether task type, risk and risk domain are learnt.
        leave_sources_out: whether each source is left out in turn, to measure how far off the model may be on a source
            that it never saw; else the interval there is as wide as the least that is assumed.
        use_verifier: whether a verifier is trained, where there are answers to learn from.
        features: what is read of a text.
    """

    pair: str = "gpt-4o-mini|gpt-4o"
    seed: int = 0
    use_auxiliary: bool = True
    use_intents: bool = True
    leave_sources_out: bool = True
    use_verifier: bool = True
    features: FeatureSettings = field(default_factory=FeatureSettings)


def select(outcomes: Outcomes, options: TrainOptions) -> tuple[Outcome, ...]:
    """Returns the rows to learn from: of the pair and, where they may be used, of others.

    Raises:
        TrainingError: there are too few, or their labels are all of one kind.
    """
    own = [row for row in outcomes.rows if row.pair == options.pair]
    if not own:
        known = ", ".join(repr(pair) for pair in outcomes.pairs)
        raise TrainingError(f"no rows of pair {options.pair!r}; choose one of {known} with --pair")
    labels = [row.mini_correct for row in own]
    if len(own) < MIN_ROWS or len(set(labels)) < 2:
        raise TrainingError(
            f"pair {options.pair!r} has {len(own)} rows and {len(set(labels))} kind(s) of label; "
            f"give at least {MIN_ROWS} rows with both acceptable and unacceptable answers"
        )
    if len({row.group_id for row in own}) < FOLDS:
        raise TrainingError(f"fewer than {FOLDS} groups to learn from; give prompts of more than one group_id")
    return tuple(row for row in outcomes.rows if options.use_auxiliary or row.pair == options.pair)
