"""The words of the page."""

_POLICIES = """
recommended: the best setting found; best_found where the answer is not to route
always_mini, always_large: one tier for everything; large where mini's answer is empty, cut off or declines
random: mini or large by lot, at the recommended's money
cascade: mini always, large when the verifier rejects; the cut is tuned
race_all: both at once, the first acceptable answer is delivered
fixed_hedge: mini, and large beside it once mini is later than 95 % of its answers: a hedge that reads no prompt
zones_cascade, zones_race: the tuned cuts; between them on rejection, or both at once
cost_matched_shuffle: the recommended's own decisions dealt out to the rows at random, at its cost: what it gains over
 them is what it knows
clairvoyant: knows every grade and every latency; no policy can do better, and no service can do that
"""

_METHOD = """
Rows: prompts with both recorded answers and both grades. Rows that the predictor has learnt from are scored by models
that did not see their group. Clusters of near-duplicate prompts are never split.

Quality first: which cuts are admissible does not depend on latency or its value. They must keep the wanted quality on
the tuning rows, as a one-sided bound by cluster bootstrap at the tuning confidence, even where large's answer never
displaces an accepted mini answer.

Then money and time: among them the least money plus the value of time, where the 99th percentile keeps its bound.

Measured elsewhere: every figure is of rows that nothing was tuned on. Intervals: 95 %, bootstrap of whole clusters;
ratios are resampled together with always-large.

Latencies: drawn from the named model for every row, several times, or recorded where the model says so. They are an
assumption about your tiers: the money and the quality of plans that wait for a rejection do not depend on them, all
else does.

Money: recorded tokens, or estimates from the texts, at the stated prices; calls that were not delivered are paid, cut
off calls for what they had streamed.

Where it rests: 95 % of resampled tuning rows choose a setting within the stated span. A wide span is a flat optimum.

Confirmation: the same rows through the service's own planner, validators, verifier and executor on a virtual clock;
and the service itself under open-loop Poisson load over sockets against simulated tiers with the same answers and the
same draws, whose delays are divided by the stated factor and multiplied back.
"""


def _parted(text: str, gap: str) -> tuple[tuple[str, str], ...]:
    parts = (part.split(": ", 1) for part in text.strip().split(gap))
    return tuple((word, meaning) for word, meaning in parts)


POLICIES = _parted(_POLICIES.replace("\n ", " "), "\n")
METHOD = _parted(_METHOD, "\n\n")
"""(what, meaning) of each."""
