from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.validators.quality.stated import HEAD_CHARACTERS, TAIL_CHARACTERS, stated_confidence


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("The answer is B.\nConfidence: 85%", 0.85),
        ("**Confidence:** 85 %", 0.85),
        ("Confidence level: 0.85", 0.85),
        ("Confidence: 8.5/10", 0.85),
        ("Confidence: 85 out of 100", 0.85),
        ("Confidence: 85", 0.85),
        ('{"answer": "B", "confidence": 0.85}', 0.85),
        ('{"confidence_score": "85%", "answer": "B"}', 0.85),
        ("I'm 90 % sure that it is B.", 0.9),
        ("I am about 90 percent certain.", 0.9),
        ("90% confidence", 0.9),
        ("Ich bin mir zu 90 % sicher.", 0.9),
        ("Konfidenz: 0,9", 0.9),
        ("Sicherheit: 90 Prozent", 0.9),
        ("Confiance : 90 %", 0.9),
        ("Je suis sûr à 90 %.", 0.9),
        ("90 % de certitude", 0.9),
        ("Confianza: 90 por ciento", 0.9),
        ("Estoy 90 % seguro.", 0.9),
        ("Confiança: 90%", 0.9),
        ("Уверенность: 90%", 0.9),
        ("Я уверен на 90%", 0.9),
        ("置信度：90%", 0.9),
        ("我有90%的把握", 0.9),
        ("確信度は90％", 0.9),
        ("신뢰도: 90%", 0.9),
        ("Confidence: 0%", 0.0),
        ("Confidence: 1", 1.0),
    ],
)
def test_a_stated_confidence_is_read_in_any_of_these_words(text: str, share: float) -> None:
    assert stated_confidence(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris.",
        "The 95% confidence interval is [1.2, 3.4].",
        "At a 95% confidence level the difference is significant.",
        "with a confidence level of 95%",
        "The confidence interval is 0.2 to 0.5.",
        "I'm not 100% sure.",
        "Je ne suis pas 100 % sûr.",
        "Confidence: 4",
        "Confidence: 150%",
        "Confidence: high",
        "90% of patients recovered.",
    ],
)
def test_other_numbers_are_no_confidence_in_the_answer(text: str) -> None:
    assert stated_confidence(text) is None


def test_the_last_statement_counts() -> None:
    assert stated_confidence("I'm 90% sure of A. On reflection it is B. Confidence: 60%") == 0.6


def test_both_ends_of_a_long_answer_are_read_and_its_middle_is_not() -> None:
    filler = "word " * (HEAD_CHARACTERS + TAIL_CHARACTERS)

    assert stated_confidence(f"Confidence: 70%\n{filler}") == 0.7
    assert stated_confidence(f"{filler}Confidence: 70%") == 0.7
    assert stated_confidence(f"{filler}Confidence: 70%{filler}") is None


@given(st.text(alphabet="confidence: 0123456789.,%/sure是的把握", max_size=200))
def test_whatever_is_read_is_a_share(text: str) -> None:
    share = stated_confidence(text)

    assert share is None or 0.0 <= share <= 1.0
