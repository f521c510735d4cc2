import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.predictor.text import ngrams
from specroute.predictor.text.features import DENSE_SIZE, FeatureExtractor, FeatureSettings
from specroute.predictor.text.surface import SURFACE_NAMES

SMALL = FeatureSettings(head_chars=60, tail_chars=20, hash_bits=12)
_ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=200)


def _ids(text: str, settings: FeatureSettings | None = None) -> list[int]:
    found: list[int] = FeatureExtractor(settings or FeatureSettings()).extract(text).ids.tolist()
    return found


def _surface(text: str) -> dict[str, float]:
    return dict(zip(SURFACE_NAMES, FeatureExtractor(FeatureSettings()).extract(text).dense.tolist(), strict=True))


@given(_ANY_TEXT)
def test_any_text_gives_bounded_finite_and_equal_features(text: str) -> None:
    features = FeatureExtractor(SMALL).extract(text)
    again = FeatureExtractor(SMALL).extract(text)

    assert features.ids.dtype == np.int64
    assert features.ids.size < 2 * SMALL.max_chars
    assert features.ids.tolist() == sorted(set(features.ids.tolist()))
    assert all(0 <= bucket < SMALL.buckets for bucket in features.ids.tolist())
    assert features.dense.dtype == np.float32
    assert features.dense.shape == (DENSE_SIZE,)
    assert np.isfinite(features.dense).all()
    assert features.ids.tolist() == again.ids.tolist()
    assert features.dense.tolist() == again.dense.tolist()


@given(_ANY_TEXT, st.text(min_size=1, max_size=300))
def test_what_lies_between_head_and_tail_is_not_read(text: str, middle: str) -> None:
    head, tail = "h " * 30, "t " * 10

    one = FeatureExtractor(SMALL).extract(head + "x" + tail)
    other = FeatureExtractor(SMALL).extract(head + text + middle + tail)

    assert one.ids.tolist() == other.ids.tolist()
    assert one.dense[1:].tolist() == other.dense[1:].tolist()


@given(st.lists(st.sampled_from(["red", "blue", "x2", "42", "наука", "水"]), min_size=1, max_size=30))
def test_case_and_width_and_the_kind_of_space_do_not_matter(words: list[str]) -> None:
    wide = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(ord("A"), ord("Z") + 1)})

    expected = _ids(" ".join(words))

    assert _ids("\n\t".join(words).upper()) == expected
    assert _ids(" ".join(words).upper().translate(wide)) == expected


def test_a_character_that_expands_stays_within_the_bound() -> None:
    assert len(_ids("ﷺ" * 5000)) < 2 * FeatureSettings().max_chars


def test_a_word_hashes_the_same_wherever_it_stands() -> None:
    words = FeatureSettings(max_ngram=1)

    assert set(_ids("apple", words)) < set(_ids("one two, three: apple pie", words))


def test_word_pairs_know_their_order() -> None:
    assert _ids("dog bites man") != _ids("man bites dog")
    assert _ids("dog bites man", FeatureSettings(max_ngram=1)) == _ids("man bites dog", FeatureSettings(max_ngram=1))


def test_numbers_are_known_by_their_length_alone() -> None:
    assert _ids("add 17 and 365") == _ids("add 42 and 901")
    assert _ids("add 17 and 365") != _ids("add 17 and 3650")


def test_scripts_without_spaces_share_characters_not_whole_sentences() -> None:
    one, other = set(_ids("北京是中国的首都")), set(_ids("东京是日本的首都"))

    assert len(one) == len("北京是中国的首都") * 2 - 1
    assert one & other
    assert one - other


@pytest.mark.parametrize("word", ["नमस्ते", "كِتَاب", "день", "안녕하세요", "straße"])
def test_a_word_with_marks_is_one_token(word: str) -> None:
    assert len(_ids(word)) == 1


@pytest.mark.parametrize("text", ["a،b", "а, б", "क।ख", "甲、乙", "x—y", "p\u00a0q"])
def test_punctuation_of_any_script_parts_words(text: str) -> None:
    assert len(_ids(text)) == 3


def test_texts_of_different_scripts_share_no_bucket() -> None:
    texts = ("What is the capital?", "ما هي العاصمة", "राजधानी क्या है", "首都在哪里", "Какая столица", "เมืองหลวง")
    found = [set(_ids(text)) for text in texts]

    assert all(not one & other for index, one in enumerate(found) for other in found[:index])


def test_the_surface_is_measured() -> None:
    surface = _surface("Which?\nA) 12\nB) 345\nC. {x} = 1\nNot a choice")

    assert surface["log_choices"] == pytest.approx(np.log1p(3))
    assert surface["log_questions"] == pytest.approx(np.log1p(1))
    assert surface["longest_number"] == 3.0
    assert surface["log_numbers"] == pytest.approx(np.log1p(3))
    assert surface["other_script_ratio"] == 0.0
    assert _surface("数学 2+2")["other_script_ratio"] == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    "settings",
    [{"head_chars": 0}, {"tail_chars": -1}, {"hash_bits": 7}, {"hash_bits": 25}, {"max_ngram": 3}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        FeatureSettings(**settings)


@given(st.text(st.characters(max_codepoint=127), max_size=300))
def test_the_quick_way_through_ascii_reads_as_the_way_for_every_script(text: str) -> None:
    quick, general = ngrams._read_ascii(text.lower()), ngrams._read(text.lower())

    assert [each.tolist() for each in quick] == [each.tolist() for each in general]
