"""From words to the wire: the whole decision, and what of it fits into an error."""

from specroute.core.deadline import Deadline
from specroute.core.outcome import (
    Attempt,
    AttemptCost,
    AttemptEnd,
    CostBasis,
    Decision,
    MoneySummary,
    Usage,
    Verdict,
    VerdictKind,
)
from specroute.core.plan import ExcludedTier, Guess, Interval, Leg, Plan, PlanKind, Prediction, Profile
from specroute.core.request import Risk
from specroute.core.stream import Commit, CommitReason
from specroute.edge.client.explain import explain
from specroute.edge.client.receipts import read_receipt
from specroute.edge.replies import MAX_DETAIL_BYTES, cut_decision, write_decision
from specroute.v1 import decision_pb2 as pb

WON = Attempt(
    tier="mini",
    upstream="mini-0",
    model="m",
    leg=0,
    speculative=False,
    end=AttemptEnd.WON,
    launched_after_s=0.0,
    time_to_first_token_s=0.25,
    ended_after_s=1.5,
    verdicts=(Verdict("complete", VerdictKind.ACCEPT, "complete"),),
    usage=Usage(10, 4, 20, 5),
    cost=AttemptCost(CostBasis.METERED, 7, 7, 7),
)
CUT_OFF = Attempt(
    tier="mini",
    upstream="mini-0",
    model="m",
    leg=0,
    speculative=False,
    end=AttemptEnd.REJECTED,
    reason="refusal",
    verdicts=(
        Verdict("complete", VerdictKind.ACCEPT, "complete", prefix_tokens=14),
        Verdict("not_refusal", VerdictKind.REJECT, "refusal", prefix_tokens=14),
    ),
)
NOT_LAUNCHED = Attempt("large", "", "", 1, speculative=False, end=AttemptEnd.NOT_LAUNCHED)


def a_decision(
    attempts: tuple[Attempt, ...] = (WON, NOT_LAUNCHED), excluded: int = 0, commit: Commit | None = None
) -> Decision:
    return Decision(
        request_id="r-1",
        received_time_s=1700000000.25,
        input_tokens=10,
        output_tokens=300,
        profile=Profile("math", Risk.HIGH, "finance", is_risk_inferred=True),
        prediction=Prediction(
            {"mini": 0.5},
            "v1",
            intervals={"mini": Interval(0.4, 0.7)},
            p_rescue=0.6,
            risk=Guess("high", 0.8),
            risk_domain=Guess("finance", 0.7),
            novelty=0.25,
        ),
        plan=Plan(
            PlanKind.CASCADE,
            (Leg("mini"), Leg("large", None)),
            "threshold",
            "Why.",
            excluded=tuple(ExcludedTier(f"tier-{index}", "not_allowed") for index in range(excluded)),
        ),
        deadline=Deadline(5.0, 6.0, 5.9, 5.5),
        attempts=attempts,
        money=MoneySummary(7, 0, 100),
        used_s=1.5,
        timings_s=(("admit", 0.0001),),
        commit=commit,
    )


def written(decision: Decision) -> pb.Decision:
    message = pb.Decision()
    write_decision(decision, message)
    return message


def test_the_whole_decision_is_written() -> None:
    message = written(a_decision())

    assert message.received_time.ToMilliseconds() == 1700000000250
    score = message.prediction.tiers["mini"]
    assert (score.p_accept, score.p_low, score.p_high) == (0.5, 0.4, 0.7)
    assert (message.prediction.p_rescue, message.prediction.novelty) == (0.6, 0.25)
    assert (message.prediction.risk, message.prediction.risk_inferred) == ("high", True)
    assert (message.prediction.risk_domain, message.prediction.risk_confidence) == ("finance", 0.8)
    assert not message.prediction.task_type_inferred
    assert message.plan.legs[0].launch_after.ToMilliseconds() == 0
    assert message.plan.legs[1].HasField("on_rejection")
    assert message.attempts[0].time_to_first_token.ToMilliseconds() == 250
    assert message.attempts[0].usage.cached_input_tokens == 4
    assert not message.attempts[1].HasField("ended_after")
    assert message.cost.saved_nano_usd == 93
    assert message.deadline.latency_budget.ToMilliseconds() == 500
    assert message.deadline.slack.ToMilliseconds() == -500


def test_an_error_carries_the_attempts_without_verdicts_within_its_bound() -> None:
    cut = cut_decision(a_decision(attempts=(WON,) * 100))

    assert cut.ByteSize() <= MAX_DETAIL_BYTES
    assert cut.attempts[0].upstream == "mini-0"
    assert not cut.attempts[0].verdicts
    assert not cut.plan.explanation


def test_a_large_plan_gives_way_to_the_attempts() -> None:
    cut = cut_decision(a_decision(excluded=200))

    assert cut.ByteSize() <= MAX_DETAIL_BYTES
    assert len(cut.attempts) == 2


def test_a_decision_is_explained_in_words() -> None:
    text = explain(written(a_decision()))

    assert "P(acceptable): mini 0.500" in text
    assert "cascade (threshold): Why." in text
    assert "mini on mini-0: launched at 0.0 ms, first token after 250.0 ms, won at 1500.0 ms" in text
    assert "large: not launched" in text
    assert "committed" not in text


def test_the_moment_of_the_commit_is_written_and_read_back() -> None:
    for commit in (
        Commit(1, "large", CommitReason.NOTHING_STRONGER, 0.0, 1),
        Commit(0, "mini", CommitReason.HELD_BACK, 0.41, 12, error_ratio=0.0, upheld=True),
    ):
        assert read_receipt(written(a_decision(commit=commit))).commit == commit


def test_a_decision_without_a_commit_has_none() -> None:
    message = written(a_decision())

    assert not message.HasField("commit")
    assert read_receipt(message).commit is None


def test_a_verdict_on_a_beginning_says_how_much_had_come() -> None:
    receipt = read_receipt(written(a_decision(attempts=(CUT_OFF, WON))))

    assert receipt.attempts[0].verdicts == CUT_OFF.verdicts
    assert receipt.attempts[1].verdicts == WON.verdicts


def test_an_error_keeps_the_moment_of_the_commit() -> None:
    commit = Commit(0, "mini", CommitReason.HELD_BACK, 0.41, 12)

    assert cut_decision(a_decision(attempts=(WON,) * 100, commit=commit)).commit.output_tokens == 12


def test_a_commit_and_a_verdict_on_a_beginning_are_explained_in_words() -> None:
    settled = Commit(0, "mini", CommitReason.PREFIX_SETTLED, 0.41, 12, upheld=True)
    held_back = Commit(0, "mini", CommitReason.HELD_BACK, 1.0, 1, error_ratio=0.005)

    text = explain(written(a_decision(attempts=(CUT_OFF, WON), commit=settled)))

    assert "committed  leg 0 (mini) after 0.41 s, 12 tokens: prefix settled; upheld" in text.splitlines()
    assert "not_refusal reject (refusal after 14 tokens)" in text
    assert "1 token: held back (measured error 0.0050); not upheld" in explain(written(a_decision(commit=held_back)))
