from __future__ import annotations

import pytest

from specroute.learn.evaluation.evaluate import EvaluateOptions, Evaluation, evaluate
from specroute.learn.play import Cuts
from tests.learn.evaluation.drawn import drawn

HOSTILE = '<script src="https://evil.example/x.js">"&\'$_{</script>'


@pytest.fixture(scope="session")
def measured() -> Evaluation:
    """An evaluation of 240 rows of three sources, tuned on others, with a certificate's thresholds."""
    rows = drawn(240, sources=("easy", "hard", HOSTILE))
    tuning = drawn(300, seed=9, prefix="t", sources=("easy", "hard", HOSTILE))
    return evaluate(rows, EvaluateOptions(seed=1), tuning=tuning, certified=Cuts(1.1, -0.1, 0.5))


@pytest.fixture(scope="session")
def cross_tuned() -> Evaluation:
    """An evaluation of 120 rows of one source without a verifier, an own tuning file or a certificate."""
    return evaluate(drawn(120, sources=("only",), has_verifier=False), EvaluateOptions())
