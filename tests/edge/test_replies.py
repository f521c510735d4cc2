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
from specroute.core.plan import ExcludedTier, Leg, Plan, PlanKind, Prediction
from specroute.edge.client.explain import explain
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
NOT_LAUNCHED = Attempt("large", "", "", 1, speculative=False, end=AttemptEnd.NOT_LAUNCHED)


def a_decision(attempts: tuple[Attempt, ...] = (WON, NOT_LAUNCHED), excluded: int = 0) -> Decision:
    return Decision(
        request_id="r-1",
        received_time_s=1700000000.25,
        input_tokens=10,
        output_tokens=300,
        task_type="math",
        risk="high",
        prediction=Prediction({"mini": 0.5}, "v1"),
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
    )


def written(decision: Decision) -> pb.Decision:
    message = pb.Decision()
    write_decision(decision, message)
    return message


def test_the_whole_decision_is_written() -> None:
    message = written(a_decision())

    assert message.received_time.ToMilliseconds() == 1700000000250
    assert message.prediction.tiers["mini"].p_accept == 0.5
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
