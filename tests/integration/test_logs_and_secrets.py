"""Neither key, prompt nor answer appears anywhere but where it belongs, however the upstreams fail."""

from __future__ import annotations

import json
import re

import aiohttp
import anyio
import pytest

from tests.integration.conftest import LARGE_PRICE, MINI_PRICE, config, new_nonce, tier
from tests.integration.mock_upstream import (
    FAST_FAILURES,
    FAST_REJECTS,
    MockUpstream,
    Script,
    answers_status,
    ends_early,
    hangs,
    resets,
    says,
    sends,
)
from tests.integration.reflection_client import Failed, ReflectionClient
from tests.integration.service_process import refusal, service_process

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

KEY = "sk-canary-KEY-5e1f"
PROMPT = "canary-PROMPT-77aa"
ANSWER = "canary-ANSWER-93bc"
CANARY = re.compile("canary", re.IGNORECASE)

LEAKY: dict[str, Script] = {
    "says so in an error": answers_status(401, json.dumps({"error": {"message": f"{KEY} {PROMPT}", "code": KEY}})),
    "says so in plain": answers_status(500, f"{KEY} {PROMPT} {ANSWER}", content_type="text/plain"),
    "says so in a header": answers_status(429, "{}", f"X-Echo: {KEY} {PROMPT}"),
    "redirects to it": answers_status(307, "", f"Location: http://127.0.0.1:1/{KEY}/{PROMPT}"),
    "garbage": sends(f"{KEY} {PROMPT} {ANSWER}\r\n\r\n".encode()),
    "bad header": sends(f"HTTP/1.1 200 OK\r\n{KEY} {PROMPT}\r\n\r\n".encode()),
    "bad chunk": sends(
        f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n".encode()
    ),
    "bad event": answers_status(200, f"data: {{{KEY} {PROMPT}\n\n", content_type="text/event-stream"),
    "bad JSON": answers_status(200, f'{{"choices": "{ANSWER} {KEY}"}}'),
    "cut off": ends_early(ANSWER),
    "error event": ends_early(ANSWER, error=True),
    "reset": resets(ANSWER),
    "truncated": says(ANSWER, finish="length"),
    "refuses": says(f"I'm sorry, I can't help with {ANSWER}."),
    "hangs": hangs(ANSWER),
    **{name: script for name, (script, _) in (FAST_FAILURES | FAST_REJECTS).items()},
}


async def test_no_key_prompt_or_answer_leaks(upstream: MockUpstream) -> None:
    url = upstream.base_url
    tiers = [
        tier(name, url, price, api_key_env="CANARY_KEY")
        for name, price in (("mini", MINI_PRICE), ("large", LARGE_PRICE))
    ]
    broken = {"name": "broken", "use": "tests.integration.user_validators:Broken"}
    validators = ["complete", "not_refusal", "output_contract", broken]
    document = config(url, tiers=tiers, validation={"validators": validators})
    async with service_process(document, {"CANARY_KEY": KEY}, "--log-level", "debug") as process:
        client = await ReflectionClient.connect(process.address)
        for script in LEAKY.values():
            nonce = new_nonce()
            prompt = f"{upstream.on(nonce, mini=script, large=script)} {PROMPT}"
            with pytest.raises(Failed) as caught:
                await client.route(prompt, timeout_s=0.5, hints={"session_id": "s"}, labels={"team": "x"})
            failed = caught.value
            assert not CANARY.search(repr((failed.message, failed.details, failed.trailers)))
            assert upstream.calls_of(nonce)[0].headers["authorization"] == f"Bearer {KEY}"
        for fields in ({"output": {"regex": {"pattern": "("}}}, {"constraints": {"force_tier": "x"}}):
            with pytest.raises(Failed) as caught:
                await client.route(f"Say {PROMPT}", **fields)
            assert not CANARY.search(repr((caught.value.message, caught.value.details)))
        reply = await client.route(f"{upstream.on(new_nonce(), mini=says(ANSWER))} {PROMPT}")
        decision = str(reply.decision)
        url = f"http://{process.metrics_address}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            metrics = await response.text()
        await client.close()
        assert await process.stop() == 0
        stderr = b"".join(process.stderr).decode()
        stdout = process.first_line + b"".join(process.stdout).decode()

    for place, text in {"decision": decision, "metrics": metrics, "stderr": stderr, "stdout": stdout}.items():
        assert not CANARY.search(text), place
    lines = [json.loads(line) for line in stderr.splitlines()]
    ended = [line for line in lines if line["event"] == "request_ended"]
    assert len(ended) >= len(LEAKY)
    assert all({"request_id", "outcome", "attempts", "level", "timestamp"} <= line.keys() for line in ended)


async def test_a_key_may_come_from_a_file_and_is_not_shown_when_it_is_refused(
    upstream: MockUpstream, tmp_path: anyio.Path
) -> None:
    path = anyio.Path(tmp_path / "key")
    await path.write_text(f"{KEY} with spaces\n")
    tiers = [tier("mini", upstream.base_url, MINI_PRICE, api_key_file=str(path))]
    done = await anyio.to_thread.run_sync(refusal, config(upstream.base_url, tiers=tiers))

    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert not CANARY.search(said.replace(str(path), ""))
