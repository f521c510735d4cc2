"""What is read of a text to infer what it asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specroute.predictor.intents.grams import BUCKETS, HEAD_WORDS, TAIL_WORDS, gram_ids
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings

EXTRACTOR = FeatureExtractor(FeatureSettings())


def ids(text: str) -> list[int]:
    found: list[int] = gram_ids(EXTRACTOR.extract(text).tokens).tolist()
    return found


@given(st.text(max_size=700))
def test_any_text_is_read_as_distinct_buckets_in_order(text: str) -> None:
    found = ids(text)

    assert found == sorted(set(found))
    assert all(0 <= bucket < BUCKETS for bucket in found)


def test_lone_surrogates_are_read() -> None:
    assert ids("a\ud800b")


def test_words_of_one_stem_share_what_says_so() -> None:
    assert len(set(ids("translate")) & set(ids("translation"))) == 3  # the first three, four and five characters
    assert not set(ids("translate")) & set(ids("sum"))


def test_words_that_end_alike_share_their_ending() -> None:
    assert len(set(ids("walking")) & set(ids("reading"))) == 1


def test_the_order_of_neighbours_matters() -> None:
    assert ids("dog bites man") != ids("man bites dog")


def test_case_and_white_space_say_nothing() -> None:
    assert ids("Sum\tUp\n\nTHIS ") == ids("sum up this")


def test_only_the_first_and_the_last_words_of_a_long_text_are_read() -> None:
    head = " ".join(f"h{number}x" for number in range(HEAD_WORDS))
    tail = " ".join(f"t{number}x" for number in range(TAIL_WORDS))

    assert ids(f"{head} {'pasted ' * 50} {tail}") == ids(f"{head} {'other ' * 70} {tail}")


def test_scripts_without_spaces_are_read_by_character_and_pair() -> None:
    first, second = set(ids("请总结以下文本")), set(ids("请翻译以下文本"))

    assert first & second
    assert first - second


def test_a_text_without_words_has_nothing_to_read() -> None:
    assert ids("") == ids(" \n ?! ") == []
