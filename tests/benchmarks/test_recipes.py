import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.recipes import (
    PAIR,
    SHIPPED,
    Sheet,
    figures,
    gsm8k,
    printed,
    recipes,
    static_words,
    words,
)
from benchmarks.routellm import PAIR as ROUTELLM
from numpy.typing import NDArray

from specroute.learn.dataset import Outcome

WORDS = ("apple", "river", "stone", "cloud", "lamp", "garden", "winter", "silver", "paper", "ocean")
HARD = "integral"


def outcomes(count: int, seed: int, pair: str = PAIR, source: str = "made") -> list[Outcome]:
    draw = np.random.default_rng(seed)
    rows = []
    for at in range(count):
        hard = bool(draw.random() < 0.5)
        prompt = " ".join([*draw.choice(WORDS, 6), HARD if hard else "colour", f"case{seed}x{at}"])
        right = bool(draw.random() < (0.25 if hard else 0.9))
        rows.append(Outcome(pair, f"{source}{seed}-{at}", prompt, source, right, right or bool(draw.random() < 0.8)))
    return rows


def encoder(texts: Sequence[str], tokens: int) -> NDArray[np.float32]:
    counts = [[float(word in text.split()[:tokens]) for word in (*WORDS, HARD)] for text in texts]
    return np.array(counts, dtype=np.float32)


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return Sheet.of(outcomes(400, 1), outcomes(160, 2), PAIR)


def test_every_recipe_is_measured_out_of_fold_and_on_the_test_file(sheet: Sheet) -> None:
    found = figures(sheet, recipes(sheet, encoder))

    assert len(found) == 2 * len({row["recipe"] for row in found})
    assert {row["file"] for row in found} == {"out of fold", "test"}
    shipped = [row for row in found if row["recipe"] == SHIPPED]
    assert all(float(row["AUROC"]) > 0.7 for row in shipped)
    assert all(row["AUROC less the shipped"] == "+0.000 [+0.000, +0.000]" for row in shipped)


def test_without_a_test_file_nothing_is_said_of_one() -> None:
    alone = Sheet.of(outcomes(200, 3), (), PAIR)

    assert {row["file"] for row in figures(alone, {SHIPPED: alone.scored(words, alone.corpus)})} == {"out of fold"}


def test_what_the_labels_of_the_test_file_are_changes_no_score(sheet: Sheet) -> None:
    tested = sheet.folds < 0
    turned = replace(sheet.corpus, mini=np.where(tested, 1.0 - sheet.corpus.mini, sheet.corpus.mini))

    np.testing.assert_array_equal(sheet.scored(words, turned), sheet.scored(words, sheet.corpus))


def test_a_table_reads_a_text_without_having_been_fitted_to_its_sentence(sheet: Sheet) -> None:
    own = int(np.flatnonzero(sheet.folds == 0)[0])
    sentences = encoder(sheet.texts, 128)
    tested = sheet.corpus.text_of[sheet.folds < 0]
    changed = sentences.copy()
    changed[tested] = 7.0

    before, after = static_words(sheet, sentences), static_words(sheet, changed)
    np.testing.assert_array_equal(before.coordinates, after.coordinates)
    assert np.ptp(before.coordinates[sheet.corpus.text_of[own]]) > 0.0


def test_contaminated_problems_are_neither_learnt_from_nor_measured(tmp_path: Path) -> None:
    rows = outcomes(200, 4, ROUTELLM, "routellm_gsm8k") + outcomes(100, 5, PAIR, "zeroeval_gsm8k")
    path = tmp_path / "outcomes.jsonl"
    names = ("pair", "group_id", "prompt", "source", "mini_correct", "large_correct")
    lines = [{name: getattr(row, name) for name in names} for row in rows]
    for line in lines[:3]:
        line["flags"] = "routellm_contaminated"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")

    found = gsm8k(path, encoder)

    assert {row["rows"] for row in found} == {"197"}
    assert all(float(row["APGR"].split()[0]) > 0.5 for row in found if "strong wins" in row["recipe"])


def test_rows_are_printed_as_json_or_as_a_table() -> None:
    rows = [{"recipe": "one", "AUROC": "0.700"}, {"recipe": "two", "AUROC": "0.710"}]

    assert [json.loads(line) for line in printed(rows, markdown=False).splitlines()] == rows
    assert printed(rows, markdown=True).splitlines()[1:] == ["| --- | --- |", "| one | 0.700 |", "| two | 0.710 |"]
