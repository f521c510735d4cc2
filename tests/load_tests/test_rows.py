from pathlib import Path

import orjson

from load_tests.rows import CallRow, answer_fields, failure_fields, read_rows, write_rows
from specroute.edge.client.aio import Answered, RouteFailed
from specroute.edge.client.receipts import read_receipt
from specroute.v1 import decision_pb2
from tests.load_tests.builders import call, failed


def test_rows_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [call(case="b", first_token_s=0.25, is_right=None), failed(reason="NO_ACCEPTABLE_ANSWER")]

    write_rows(tmp_path / "new" / "rows.jsonl", rows)

    assert read_rows(tmp_path / "new" / "rows.jsonl") == rows


def test_a_row_of_a_newer_version_is_read_without_what_is_not_known_here() -> None:
    assert CallRow.from_json({**orjson.loads(orjson.dumps(call().to_json())), "later": 1}) == call()


def decision() -> decision_pb2.Decision:
    message = decision_pb2.Decision()
    message.plan.kind = decision_pb2.PLAN_KIND_CASCADE
    message.cost.delivered_nano_usd, message.cost.waste_nano_usd = 7, 3
    message.cost.always_large_estimate_nano_usd = 90
    message.attempts.add(tier="mini", leg=0, end=decision_pb2.ATTEMPT_END_REJECTED)
    message.attempts.add(tier="large", leg=1, end=decision_pb2.ATTEMPT_END_WON)
    return message


def test_money_plan_and_escalation_come_from_the_receipt() -> None:
    receipt = read_receipt(decision())
    answer = Answered("1", "text", (), "stop", "large", "large-0", "large", degraded=True, receipt=receipt)

    assert answer_fields(answer) == {
        "status": "OK",
        "tier": "large",
        "degraded": True,
        "plan": "cascade",
        "escalated": True,
        "delivered_nano_usd": 7,
        "waste_nano_usd": 3,
        "always_large_nano_usd": 90,
    }


def test_a_failed_call_keeps_its_reason_and_what_it_cost() -> None:
    error = RouteFailed("FAILED_PRECONDITION", "NO_ACCEPTABLE_ANSWER", "no", read_receipt(decision()))

    fields = failure_fields(error)

    assert (fields["status"], fields["reason"]) == ("FAILED_PRECONDITION", "NO_ACCEPTABLE_ANSWER")
    assert fields["waste_nano_usd"] == 3
    assert failure_fields(RouteFailed("UNAVAILABLE", "", "gone")) == {"status": "UNAVAILABLE", "reason": ""}
