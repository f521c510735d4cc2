"""What is off unless the configuration turns it on: checks of confidence, loops and script, and the least pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import LARGE_PRICE, MINI_PRICE, config, serving, tier
from tests.integration.mock_upstream import MockUpstream, Reply, Script, drips, hangs, says
from tests.integration.stream_calls import open_stream

if TYPE_CHECKING:
    from tests.integration.conftest import Service

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

OSLO = ("Oslo is ", "the capital ", "of Norway.")


def unsure(*pieces: str, logprob: float) -> Script:
    """An answer whose tokens come with their log-probabilities."""

    async def play(reply: Reply) -> None:
        for piece in pieces:
            token = {"token": piece, "logprob": logprob, "top_logprobs": []}
            choice = {"index": 0, "delta": {"content": piece}, "logprobs": {"content": [token]}, "finish_reason": None}
            reply.event({"id": "x", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})
        reply.delta("stop")
        reply.done()

    return play


async def ended(service: Service, upstream: MockUpstream, nonce: str, mini: Script) -> list[tuple[str, int, str]]:
    """Returns the attempts of a cascade: tier, end and reason of each."""
    prompt = upstream.on(nonce, mini=mini, large=says(*OSLO))
    reply = await service.client.route(prompt)
    return [(each.tier, each.end, each.reason) for each in _attempts(reply)]


def _attempts(reply: Any) -> list[Any]:
    return list(reply.decision.attempts)


def document(upstream: MockUpstream, *validators: object, **mini: object) -> dict[str, Any]:
    url = upstream.base_url
    tiers = [tier("mini", url, MINI_PRICE, **mini), tier("large", url, LARGE_PRICE)]
    validation = {"validators": ["complete", "output_contract", *validators]} if validators else {}
    return config(url, tiers=tiers, hedge_delay="on_rejection") | ({"validation": validation} if validation else {})


REJECTED, WON, TIMED_OUT = 2, 1, 5


@pytest.mark.parametrize(("min_logprob", "first"), [(-1.0, ("mini", REJECTED, "unsure")), (-9.0, ("mini", WON, ""))])
async def test_an_answer_of_unsure_tokens_is_rejected_as_the_configuration_says(
    upstream: MockUpstream, nonce: str, min_logprob: float, first: tuple[str, int, str]
) -> None:
    check = {"name": "confidence", "quantile": 0.5, "min_logprob": min_logprob, "min_tokens": 2}
    async with serving(document(upstream, check, logprobs=True)) as service:
        attempts = await ended(service, upstream, nonce, unsure(*OSLO, logprob=-3.0))

    assert attempts[0] == first


async def test_two_rules_may_give_the_same_check_other_options(upstream: MockUpstream, nonce: str) -> None:
    rules = [
        {
            "name": name,
            "when": {"labels": {"care": name}},
            "start": "mini",
            "validators": [{"name": "confidence", "quantile": 0.5, "min_logprob": bound, "min_tokens": 2}],
        }
        for name, bound in (("much", -1.0), ("little", -9.0))
    ]
    prompt = upstream.on(nonce, mini=unsure(*OSLO, logprob=-3.0), large=says(*OSLO))
    configured = document(upstream, logprobs=True)
    async with serving(configured | {"policy": configured["policy"] | {"rules": rules}}) as service:
        tiers = [
            (await service.client.route(prompt, labels={"care": care})).tier for care in ("much", "little", "none")
        ]

    assert tiers == ["large", "mini", "mini"]


async def test_an_answer_that_states_little_confidence_and_one_with_a_wrong_sum_are_rejected(
    upstream: MockUpstream, nonce: str
) -> None:
    async with serving(document(upstream, "confidence", "consistent")) as service:
        unsure_of_it = await ended(service, upstream, f"{nonce}a", says("It is Oslo.\nConfidence: 40%"))
        wrong_sum = await ended(service, upstream, f"{nonce}b", says("They cost 12 * 7 = 82 crowns."))

    assert unsure_of_it[0] == ("mini", REJECTED, "stated_unsure")
    assert wrong_sum[0] == ("mini", REJECTED, "arithmetic_wrong")


async def test_an_answer_that_is_caught_in_a_loop_is_cut_off(upstream: MockUpstream, nonce: str) -> None:
    async with serving(document(upstream, "not_repetitive")) as service:
        attempts = await ended(service, upstream, nonce, drips("and so on, ", every_s=0.001))

    assert attempts[0][:2] == ("mini", REJECTED)
    assert attempts[1] == ("large", WON, "")


async def test_an_answer_in_a_script_that_was_not_asked_for_is_rejected(upstream: MockUpstream, nonce: str) -> None:
    chinese = "奥斯陆是挪威的首都和最大的城市，位于该国的东南部，人口大约七十万，经济以服务业和航运业为主。" * 2
    async with serving(document(upstream, "same_script")) as service:
        attempts = await ended(service, upstream, nonce, says(chinese))

    assert attempts[0][:2] == ("mini", REJECTED)


async def test_an_answer_that_comes_too_slowly_gives_way(upstream: MockUpstream, nonce: str) -> None:
    pace = {"min_tokens_per_second": 1000, "rate_window": "50ms"}
    async with serving(document(upstream, timeouts=pace)) as service:
        attempts = await ended(service, upstream, nonce, drips("w ", every_s=0.01))

    assert attempts == [("mini", TIMED_OUT, "too_slow"), ("large", WON, "")]


@pytest.mark.parametrize(("bound", "reason"), [(1.0, "HELD_BACK"), (0.0, "VALIDATED")])
async def test_held_back_commits_are_bounded_by_the_configured_error(
    upstream: MockUpstream, nonce: str, bound: float, reason: str
) -> None:
    prompt = upstream.on(
        nonce, mini=says('{"city": ', '"Oslo", ', '"people": 700', "000}", between_s=0.02), large=hangs()
    )
    hold_back = {"hold_back": {"tokens": 1}}
    streaming = {"max_commit_error_ratio": bound}
    async with serving(config(upstream.base_url, streaming=streaming)) as service:
        stream = open_stream(service.client, prompt, hold_back, output={"json_object": {}})
        events = [event async for event in stream]

    committed = next(event.committed for event in events if event.WhichOneof("event") == "committed")
    reasons = committed.DESCRIPTOR.fields_by_name["reason"].enum_type.values_by_number
    assert reasons[committed.reason].name == f"COMMIT_REASON_{reason}"
