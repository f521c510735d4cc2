"""Direct, cascade, hedge and race, as a client and the upstreams see them."""

import pytest

from tests.integration.conftest import HEDGE_DELAY_S, Plans
from tests.integration.mock_upstream import FAST_FAILURES, FAST_REJECTS, MockUpstream, answers_status, hangs, says
from tests.integration.reflection_client import Failed, ends, kind, seconds

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

LATE_S = 0.02


async def test_a_direct_plan_calls_one_tier(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    reply = await plans.direct.client.route(upstream.on(nonce, mini=says("Oslo", ".")))

    assert (reply.output.text, reply.tier, reply.upstream, reply.model) == ("Oslo.", "mini", "mini-0", "mini-v1")
    assert (kind(reply.decision), ends(reply.decision)) == ("DIRECT", [("mini", "WON", "")])
    assert [call.model for call in upstream.calls_of(nonce)] == ["mini"]


async def test_a_low_score_goes_straight_to_the_large_tier(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    reply = await plans.direct_large.client.route(upstream.on(nonce, large=says("Oslo.")))

    assert (reply.tier, kind(reply.decision)) == ("large", "DIRECT")
    assert [call.model for call in upstream.calls_of(nonce)] == ["large"]


@pytest.mark.parametrize("failure", [*FAST_FAILURES, *FAST_REJECTS])
@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
async def test_what_is_no_answer_never_wins_and_the_large_tier_answers(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str, failure: str
) -> None:
    script, reason = (FAST_FAILURES | FAST_REJECTS)[failure]
    end = "REJECTED" if failure in FAST_REJECTS else "FAILED"

    reply = await getattr(plans, plan).client.route(
        upstream.on(nonce, mini=script, large=says("The large answer.", after_s=LATE_S))
    )

    assert (reply.output.text, reply.tier, reply.degraded) == ("The large answer.", "large", False)
    assert kind(reply.decision) == plan.upper()
    found = ends(reply.decision)
    assert set(found) == {("mini", end, reason), ("large", "WON", "")}
    assert len(upstream.calls_of(nonce, "large")) == 1


@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
async def test_invalid_json_never_wins_where_json_was_asked_for(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str
) -> None:
    prompt = upstream.on(nonce, mini=says('{"a": '), large=says('{"a": 1}', after_s=LATE_S))

    reply = await getattr(plans, plan).client.route(prompt, output={"json_object": {}})

    assert (reply.output.text, reply.tier) == ('{"a": 1}', "large")
    assert ("mini", "REJECTED", "not_json") in ends(reply.decision)


async def test_a_cascade_calls_the_large_tier_only_after_the_rejection(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says("I cannot help with that.", after_s=LATE_S), large=says("Yes."))

    reply = await plans.cascade.client.route(prompt)

    mini, large = upstream.the_call(nonce, "mini"), upstream.the_call(nonce, "large")
    assert mini.last_byte_s is not None
    assert large.received_s > mini.last_byte_s
    assert [leg.WhichOneof("launch") for leg in reply.decision.plan.legs] == ["launch_after", "on_rejection"]


async def test_a_cascade_whose_first_answer_passes_never_calls_the_large_tier(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    reply = await plans.cascade.client.route(upstream.on(nonce, mini=says("Fine.", after_s=LATE_S)))

    assert ends(reply.decision) == [("mini", "WON", ""), ("large", "NOT_LAUNCHED", "")]
    assert not upstream.calls_of(nonce, "large")


async def test_a_hedge_waits_its_delay_and_is_not_launched_when_the_answer_comes_first(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    reply = await plans.hedge.client.route(upstream.on(nonce, mini=says("Fine.")))

    assert ends(reply.decision) == [("mini", "WON", ""), ("large", "NOT_LAUNCHED", "")]
    assert not upstream.calls_of(nonce, "large")


async def test_a_hedge_starts_the_large_tier_after_its_delay_and_cancels_the_slow_one(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    reply = await plans.hedge.client.route(upstream.on(nonce, mini=hangs("Well"), large=says("Fine.")))

    await upstream.until_closed(nonce)
    mini, large = upstream.the_call(nonce, "mini"), upstream.the_call(nonce, "large")
    assert HEDGE_DELAY_S - 0.01 <= large.received_s - mini.received_s < HEDGE_DELAY_S + 0.2
    assert ends(reply.decision) == [("mini", "CANCELLED", "lost_race"), ("large", "WON", "")]
    assert mini.closed_s is not None


async def test_a_hedge_starts_the_large_tier_at_once_when_the_first_is_rejected(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    reply = await plans.hedge.client.route(upstream.on(nonce, mini=answers_status(500), large=says("Fine.")))

    large = next(attempt for attempt in reply.decision.attempts if attempt.tier == "large")
    assert seconds(large.launched_after) < HEDGE_DELAY_S / 2


@pytest.mark.parametrize(("winner", "loser"), [("mini", "large"), ("large", "mini")])
async def test_a_race_delivers_the_first_valid_answer_and_closes_the_other_call(
    plans: Plans, upstream: MockUpstream, nonce: str, winner: str, loser: str
) -> None:
    prompt = upstream.on(nonce, **{winner: says("First.", after_s=LATE_S), loser: hangs("Slow")})

    reply = await plans.race.client.route(prompt)
    await upstream.until_closed(nonce)

    assert (reply.output.text, reply.tier) == ("First.", winner)
    assert (loser, "CANCELLED", "lost_race") in ends(reply.decision)
    won, lost = upstream.the_call(nonce, winner), upstream.the_call(nonce, loser)
    assert lost.closed_s is not None
    assert won.last_byte_s is not None
    assert lost.closed_s - won.last_byte_s < 0.1
    cancelled = next(attempt for attempt in reply.decision.attempts if attempt.tier == loser)
    assert cancelled.HasField("cancel_latency")


async def test_both_failing_is_one_typed_error_with_the_decision(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    for plan in ("direct", "cascade", "hedge", "race"):
        prompt = upstream.on(nonce, mini=answers_status(500), large=answers_status(503))
        with pytest.raises(Failed) as caught:
            await getattr(plans, plan).client.route(prompt)
        failed = caught.value
        assert (failed.code.name, failed.reason) == ("UNAVAILABLE", "ALL_UPSTREAMS_FAILED")
        assert [name for name, _ in failed.details][:2] == ["google.rpc.ErrorInfo", "specroute.v1.Decision"]
        assert failed.detail("google.rpc.ErrorInfo").domain == "specroute"
        assert failed.decision.ByteSize() <= 3072
        assert ends(failed.decision) == [("mini", "FAILED", "http_500"), ("large", "FAILED", "http_503")]
        assert failed.trailers["grpc-retry-pushback-ms"] == "-1"


async def test_both_rejected_is_another_typed_error(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    for plan in ("direct", "cascade", "hedge", "race"):
        prompt = upstream.on(
            nonce, mini=says("I'm sorry, I can't help with that."), large=says("Half", finish="length")
        )
        with pytest.raises(Failed) as caught:
            await getattr(plans, plan).client.route(prompt)
        failed = caught.value
        assert (failed.code.name, failed.reason) == ("FAILED_PRECONDITION", "NO_ACCEPTABLE_ANSWER")
        assert ends(failed.decision) == [("mini", "REJECTED", "refusal"), ("large", "REJECTED", "cut_off")]
        assert failed.trailers["grpc-retry-pushback-ms"] == "-1"
        assert failed.detail("google.rpc.RetryInfo") is None


async def test_one_rejected_and_one_failed_counts_as_no_acceptable_answer(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says(), large=answers_status(500))
    with pytest.raises(Failed) as caught:
        await plans.race.client.route(prompt)

    assert caught.value.reason == "NO_ACCEPTABLE_ANSWER"


async def test_two_calls_of_one_race_never_differ_in_what_they_ask(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says("A.", after_s=LATE_S), large=says("B.", after_s=0.1))

    await plans.race.client.route(prompt, generation={"max_output_tokens": 7, "temperature": 0.5, "stop": ["END"]})
    await upstream.until_closed(nonce)

    for model in ("mini", "large"):
        body = dict(upstream.the_call(nonce, model).body)
        assert body.pop("model") == model
        assert body["stream"] is True
        assert (body["max_tokens"], body["temperature"], body["stop"]) == (7, 0.5, ["END"])
