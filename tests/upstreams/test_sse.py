"""The parser against the WHATWG rules, its bounds, and that the cuts between reads change nothing."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.upstreams.sse import Event, NamedEvent, SseLimitExceeded, SseParser


def parse(*reads: bytes) -> list[Event]:
    parser = SseParser()
    return [event for read in reads for event in parser.feed(read)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\n", [b"one"]),
        (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data:no space\n\n", [b"no space"]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"data: a\ndata: b\ndata\n\n", [b"a\nb\n"]),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", [b"a", b"b", b"c"]),
        (b": keep-alive\n\ndata: a\n: in between\ndata: b\n\n", [b"a\nb"]),
        (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"event: error\ndata: x\n\ndata: y\n\n", [NamedEvent("error", b"x"), b"y"]),
        (b"event: no data\n\ndata: y\n\n", [b"y"]),
        (b"\xef\xbb\xbfdata: after the mark\n\n", [b"after the mark"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: only one mark is taken\n\n", []),
        (b"unknown: x\nDATA: y\n data: z\ndata: real\n\n", [b"real"]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"data: \xe2\x82\xac\xff\n\n", [b"\xe2\x82\xac\xff"]),
        (b"data: without its blank line\n", []),
        (b"<html>\n<body>\n\n", []),
        (b"data: x\n\nevent: e", [b"x"]),
    ],
)
def test_a_stream_gives_the_events_of_the_specification(stream: bytes, events: list[Event]) -> None:
    assert parse(stream) == events


def test_id_and_retry_are_kept_where_they_are_valid() -> None:
    parser = SseParser()
    parser.feed(b"id: 7\nretry: 1500\ndata: x\n\n")
    parser.feed(b"id: bad\0one\nretry: soon\n\n")
    assert (parser.last_event_id, parser.retry_ms) == ("7", 1500)
    parser.feed(b"id\nretry: " + b"9" * 5000 + b"\n\n")
    assert (parser.last_event_id, parser.retry_ms) == ("", 1500)


def test_a_carriage_return_at_the_end_of_a_read_ends_its_line_at_once() -> None:
    parser = SseParser()
    assert parser.feed(b"data: x\r\r") == [b"x"]
    assert parser.feed(b"\ndata: y\n\n") == [b"y"]


def test_closing_tells_whether_an_event_was_cut_off() -> None:
    whole, cut = SseParser(), SseParser()
    whole.feed(b"data: x\n\n")
    cut.feed(b"data: x\n")
    assert (whole.close(), cut.close()) == (False, True)


LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
LINES = st.one_of(
    st.sampled_from([b"", b"", b"data: {}", b"data", b":", b"event: e", b"id: 1", b"retry: 2", b"data: \xe2\x82\xac"]),
    st.binary(max_size=12),
)
STREAMS = st.builds(
    lambda bom, lines: bom + b"".join(line + end for line, end in lines),
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(st.tuples(LINES, LINE_ENDS), max_size=30),
)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_cuts_between_reads_give_the_same_events(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reads = [stream[start:end] for start, end in pairwise(places)]
    assert parse(*reads) == parse(stream)


@given(stream=STREAMS)
def test_byte_by_byte_gives_what_plain_line_splitting_gives(stream: bytes) -> None:
    assert parse(*(stream[index : index + 1] for index in range(len(stream)))) == by_the_book(stream)


def by_the_book(stream: bytes) -> list[Event]:
    """The specification's own algorithm, on the whole stream."""
    *lines, _unfinished = (
        stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    )
    events: list[Event] = []
    data, name = b"", b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if not line:
            if data:
                events.append(NamedEvent(name.decode("utf-8", "replace"), data[:-1]) if name else data[:-1])
            data, name = b"", b""
        elif field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value
    return events


def feed_until_refused(parser: SseParser, data: bytes, step: int) -> str:
    try:
        for start in range(0, len(data), step):
            parser.feed(data[start : start + step])
    except SseLimitExceeded as error:
        return error.what
    return "nothing was refused"


@pytest.mark.parametrize("step", [7, 64, 10_000])
@pytest.mark.parametrize(
    ("stream", "what"),
    [
        (b"data: " + b"x" * 200 + b"\n\n", "line"),
        (b": " + b"x" * 200, "line"),
        (b"data: ok\n\ndata: " + b"x" * 60 + b"\n\n", "event"),
        (b"data: 0123456789\n" * 10 + b"\n", "event"),
        (b": ping\n\n" * 100, "stream"),
    ],
)
def test_each_bound_is_kept_whatever_the_size_of_the_reads(stream: bytes, what: str, step: int) -> None:
    parser = SseParser(max_line_bytes=100, max_event_bytes=50, max_total_bytes=500)
    if step > 500 and len(stream) > 500:
        what = "stream"
    assert feed_until_refused(parser, stream, step) == what


def test_what_just_fits_the_bounds_passes() -> None:
    parser = SseParser(max_line_bytes=56, max_event_bytes=50, max_total_bytes=58)
    assert parser.feed(b"data: " + b"x" * 50 + b"\n\n") == [b"x" * 50]


@pytest.mark.parametrize("step", [1, 3, 4096])
def test_time_grows_linearly_with_a_long_event_whatever_the_size_of_the_reads(step: int) -> None:
    def seconds(size: int) -> float:
        stream = b"data: " + b"x" * size + b"\n\n"
        reads = [stream[start : start + step] for start in range(0, len(stream), step)]
        best = float("inf")
        for _ in range(3):
            parser = SseParser()
            began = time.perf_counter()
            for read in reads:
                parser.feed(read)
            best = min(best, time.perf_counter() - began)
        return best

    # Eight times the bytes; quadratic work would take sixty-four times as long.
    assert seconds(160_000) < 30 * max(seconds(20_000), 20e-6)


def test_what_follows_a_lone_blank_line_is_kept() -> None:
    parser = SseParser()

    assert parser.feed(b"\nd") == []
    assert parser.feed(b"ata: x\n\n") == [b"x"]
