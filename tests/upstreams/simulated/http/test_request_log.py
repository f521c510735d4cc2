from pathlib import Path

import orjson

from specroute.upstreams.simulated.http.request_log import RequestLog


def test_a_request_is_recorded_once_with_the_first_end(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path)
    log.open()

    exchange = log.begin("id-1")
    assert log.in_flight == 1
    exchange.sending(200)
    exchange.end("client")
    exchange.end("server", finished=True)
    log.close()

    (line,) = path.read_bytes().splitlines()
    record = orjson.loads(line)
    assert (record["request_id"], record["closed_by"], record["finished"]) == ("id-1", "client", False)
    assert record["start_s"] <= record["first_byte_s"] <= record["end_s"]
    assert (log.in_flight, log.count, len(log.records)) == (0, 1, 1)


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    for name in ("first", "second"):
        log = RequestLog(path)
        log.open()
        log.begin(name).end("server", finished=True)
        log.close()

    assert [orjson.loads(line)["request_id"] for line in path.read_bytes().splitlines()] == ["first", "second"]


def test_a_request_id_cannot_blow_up_or_break_the_log(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path)
    log.open()

    log.begin('x"\n' * 1_000).end("server")

    (line,) = path.read_bytes().splitlines()
    assert len(orjson.loads(line)["request_id"]) == 128


def test_a_full_disk_costs_lines_and_no_request() -> None:
    log = RequestLog(Path("/dev/full"))
    log.open()

    for _ in range(2):
        log.begin("").end("server", finished=True)
    log.close()

    assert (log.count, log.lost_lines) == (2, 2)
