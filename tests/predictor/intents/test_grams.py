"""What is read of a text to infer what it asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specroute.predictor.intents.grams import BUCKETS, HEAD_CHARS, TAIL_CHARS, gram_ids


def runs(word: str) -> set[str]:
    padded = f" {word} "
    return {
        padded[start : start + size]
        for size in (2, 3, 4, 5)
        for start in range(len(padded) - size + 1)
        if " " not in padded[start + 1 : start + size - 1]
    }


@given(st.text(max_size=700))
def test_any_text_is_read_as_distinct_buckets_in_order(text: str) -> None:
    ids = gram_ids(text).tolist()

    assert ids == sorted(set(ids))
    assert all(0 <= bucket < BUCKETS for bucket in ids)


def test_lone_surrogates_are_read() -> None:
    assert gram_ids("a\ud800b").size > 0


def test_a_word_has_all_its_runs_of_two_to_five_characters() -> None:
    assert gram_ids("translate").size == len(runs("translate"))
    assert gram_ids("hi").size == len(runs("hi"))


def test_no_run_reaches_from_one_word_into_the_next() -> None:
    together = set(gram_ids("red house").tolist())

    assert together == set(gram_ids("red").tolist()) | set(gram_ids("house").tolist())


def test_case_and_white_space_say_nothing() -> None:
    assert gram_ids("Sum\tUp\n\nTHIS ").tolist() == gram_ids("sum up this").tolist()


def test_only_the_beginning_and_the_end_of_a_long_text_are_read() -> None:
    head, tail = "h" * (HEAD_CHARS - 1) + " ", " " + "t" * (TAIL_CHARS - 1)

    assert gram_ids(head + "pasted " * 500 + tail).tolist() == gram_ids(head + tail).tolist()


def test_scripts_without_spaces_are_read_across_characters() -> None:
    first, second = set(gram_ids("请总结以下文本").tolist()), set(gram_ids("请翻译以下文本").tolist())

    assert first & second
    assert first - second


def test_white_space_alone_has_no_runs_but_its_own() -> None:
    assert gram_ids("").tolist() == gram_ids(" \n ").tolist()
