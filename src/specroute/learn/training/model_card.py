"""Writes the model card: what a model is for, what it learnt from, how good it is, and where it must not be trusted.

Every figure comes from the manifest, so that the command that the card names prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specroute.learn.dataset import Outcomes
    from specroute.predictor.artifact import Manifest

_METHODS = {"model": "this model", "source_mean": "mean per source", "length": "length only"}
_METRICS = ("auroc", "log_loss", "brier", "ece")


def model_card(manifest: Manifest, outcomes: Outcomes) -> str:
    """Returns the card as Markdown; quotes no prompt and no answer."""
    sections = (
        _head(manifest),
        _use(manifest),
        _data(manifest, outcomes),
        _method(manifest),
        _results(manifest),
        _LIMITS,
        _cost(manifest),
    )
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _head(manifest: Manifest) -> str:
    has_test = manifest.metrics["test"] is not None
    test = ' \\\n  --test "$SPECROUTE_OUTCOMES_TEST"' if has_test else ""
    also = (
        ", `SPECROUTE_OUTCOMES_TEST` of others to test on,\n"
        "none of whose prompts is a near-duplicate of one in the first"
        if has_test
        else ""
    )
    auxiliary = "" if manifest.training["auxiliary_allowed"] else " --no-auxiliary"
    return f"""
# Predictor `{manifest.version}`

P(the mini tier's answer is acceptable | text of the last user message), calibrated, for the pair `{manifest.pair}`.

Written, with every figure below, by

```sh
specroute train --outcomes "$SPECROUTE_OUTCOMES"{test} \\
  --pair '{manifest.pair}' --seed {manifest.training["seed"]}{auxiliary} --out router_models/default
```

`SPECROUTE_OUTCOMES` is the path of outcomes to learn from{also}.
The same file, seed and library versions give the same bytes; `manifest.json` holds the hashes.
"""


def _use(manifest: Manifest) -> str:
    return f"""
## Intended use

Deciding, before anything is called, whether a request is sent to `{manifest.tiers[0]}`, to `{manifest.tiers[-1]}`,
or to both. The score is one input of a decision that also checks the answer; it is not a judgement of the prompt, its
author or the answer. Train your own on your own traffic: the level is that of two models at one time on the data below.
"""


def _data(manifest: Manifest, outcomes: Outcomes) -> str:
    data = manifest.data
    rows = [(s.name, s.repo or "not stated", s.licence or "not stated", f"{s.rows:,}") for s in outcomes.sources]
    return f"""
## Data

Recorded outcomes: prompts that both models of a pair answered, with the grade of each answer, as public repositories
publish them. Nothing of a prompt or an answer is kept in this folder but hashed weights.

{_table(("source", "repository", "licence", "rows"), rows)}

Learnt from: {data.rows:,} rows of the pair and {data.auxiliary_rows:,} of other pairs.
Calibrated on {data.calibration_rows:,} other rows of the pair.
Hash of the columns {_listed(data.columns)}: `{data.sha256[:16]}` (in full in `manifest.json`).
Rows of one `group_id` (near-duplicates) are never on two sides of a split.

Schema of a row: `prompt` (text), `pair` (`mini|large`), `mini_correct` (true or false) or `mini_score` (0 to 1, 0.99
and more is acceptable); optional `large_correct`, `group_id`, `source`, `source_repo`, `licence`. Parquet, JSON Lines
or CSV.
"""


def _method(manifest: Manifest) -> str:
    features, training = manifest.features, manifest.training
    cross = manifest.metrics["cross_validation"]
    rows = [
        (
            f"{item['inverse_penalty']:g}",
            f"{item['auxiliary_weight']:g}",
            f"{item['log_loss']:.4f}" + (" (chosen)" if _is_chosen(item, training) else ""),
        )
        for item in cross["candidates"]
    ]
    return f"""
## Method

1. The first {features.head_chars:,} and last {features.tail_chars:,} characters are read, normalised (NFKC) and
   case-folded. Words, and characters of scripts without spaces, and pairs of neighbours are hashed into
   2^{features.hash_bits} buckets; all digits are one digit. Nothing but the text is read: no source, subject, task type
   or output format.
2. {len(features.dense)} surface measures: {_listed(features.dense)}.
3. Logistic regression on both; n-grams weighted by rarity and scaled to length 1. Rows of other pairs share weights
   with the pair's own where that helped on held-out groups. Chosen by log-loss, {cross["folds"]}-fold, grouped:

{_table(("C", "weight of other pairs", "log-loss"), rows)}

4. Platt scaling on rows that took no part in the above, inside the ONNX graph and in `calibration.json`.
5. The exported graph against the training framework: largest difference {manifest.parity_max_abs_error:.1e}; above 1e-5
   nothing would have been written.
"""


def _is_chosen(item: dict[str, Any], training: dict[str, Any]) -> bool:
    return all(item[name] == training[name] for name in ("inverse_penalty", "auxiliary_weight"))


def _results(manifest: Manifest) -> str:
    test = manifest.metrics["test"]
    if test is None:
        return (
            "## Results\n\nNo test file was given; train with `--test FILE` to measure the model beside its baselines."
        )
    rows = [
        (source, f"{count:,}", name, *(_figure(test["figures"][method][source][metric]) for metric in _METRICS))
        for source, count in test["rows"].items()
        for method, name in _METHODS.items()
    ]
    gains = [
        (_METHODS[baseline], *(_figure(figures[metric], signed=True) for metric in _METRICS))
        for baseline, figures in test["gain_over"].items()
    ]
    return f"""
## Results

On the test file's {test["rows"]["pooled"]:,} rows of the pair (hash `{test["sha256"][:16]}`), with 95 % intervals from
1,000 resamples of whole groups. The pooled AUROC is raised by differences between sources; read it beside each source.
ECE: 15 bins of equal mass; resampling adds noise to it, so that its interval lies high.

{_table(("source", "rows", "method", "AUROC", "log-loss", "Brier", "ECE"), rows)}

This model less a baseline, pooled, resampled together:

{_table(("baseline", "AUROC", "log-loss", "Brier", "ECE"), gains)}
"""


_LIMITS = """
## Limits

- It knows the prompts it learnt from and their like. Recorded outcomes of public benchmarks are questions with
  checkable answers, one turn each, almost all in English; what is acceptable to a user is not what a benchmark counts
  as correct.
- Out of distribution the calibration breaks: on a kind of task that is not above, a score may be far from the truth, so
  that much of what is sent directly fails. Watch its outcomes, and check answers.
- Where the AUROC of one source has 0.5 within its interval, the model does not rank that source's prompts; it knows
  their level at best.
- A language that was hardly trained on gets scores of its own, but such a score is mostly length, form and overall
  level.
- The text is all it sees: not the conversation before it, the system message, or the tools of the request.
- A first, linear model: it knows words and pairs of words, not what they mean.
"""


def _cost(manifest: Manifest) -> str:
    return f"""
## Cost

Made to score 2,000 characters in at most 150 microseconds on one core, with a bound for any length, as at most
{manifest.features.head_chars + manifest.features.tail_chars:,} characters are read.
`python benchmarks/scoring.py` prints what it takes on your machine. A request that cannot be scored (no text, a
non-finite score) is treated as uncertain and counted.
"""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _figure(figure: dict[str, float | None], *, signed: bool = False) -> str:
    value, lo, hi = figure["value"], figure["lo"], figure["hi"]
    if value is None or lo is None or hi is None:
        return "-"
    form = "+.3f" if signed else ".3f"
    return f"{value:{form}} [{lo:{form}}, {hi:{form}}]"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
