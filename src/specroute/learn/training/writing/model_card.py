"""Writes the model card: what a model is for, what it learnt from, how it was chosen, and where it must not be trusted.

Every figure comes from the manifest, so that the command that the card names prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specroute.learn.training.writing.results import results
from specroute.learn.training.writing.tables import listed, number, table

if TYPE_CHECKING:
    from specroute.learn.dataset import Outcomes
    from specroute.predictor.artifact import Manifest

_KINDS = {"linear": "words alone (linear)", "network": "network alone", "blend": "mean of both"}


def model_card(manifest: Manifest, outcomes: Outcomes) -> str:
    """Returns the card as Markdown; quotes no prompt and no answer."""
    sections = (
        _head(manifest),
        _use(manifest),
        _data(manifest, outcomes),
        _method(manifest),
        _tried(manifest),
        *results(manifest),
        _LIMITS,
        _cost(manifest),
    )
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def _head(manifest: Manifest) -> str:
    has_test = manifest.metrics["test"] is not None
    test = ' \\\n  --test "$SPECROUTE_OUTCOMES_TEST"' if has_test else ""
    also = (
        ", `SPECROUTE_OUTCOMES_TEST` of others to test on,\n"
        "none of whose prompts is a near-duplicate of one in the first"
        if has_test
        else ""
    )
    training = manifest.training
    options = {"auxiliary": "auxiliary_allowed", "intents": "intents", "verifier": "verifier"}
    without = "".join(f" --no-{option}" for option, name in options.items() if not training[name])
    return f"""
# Predictor `{manifest.version}`

From the text of the last user message, for the pair `{manifest.pair}`: P(the mini tier's answer is acceptable),
calibrated, with an interval; P(the large tier's is) where the mini's is not and where it is; the length of the answer;
how unlike anything learnt from the text is{_parts(manifest)}.

Written, with every figure below, by

```sh
specroute train --outcomes "$SPECROUTE_OUTCOMES"{test} \\
  --pair '{manifest.pair}' --seed {training["seed"]}{without} --out router_models/default
```

`SPECROUTE_OUTCOMES` is the path of outcomes to learn from{also}.
The same file, seed and library versions give the same bytes; `manifest.json` holds the hashes, and `--json` prints it.
"""


def _parts(manifest: Manifest) -> str:
    intents = "; what kind of task it is, and its risk" if manifest.intents else ""
    verifier = ". With the mini's answer in hand, a verifier: P(this answer is acceptable)" if manifest.verifier else ""
    return intents + verifier


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
publish them. Nothing of a prompt or an answer is kept in this folder but hashed weights and hashed keys.

{table(("source", "repository", "licence", "rows"), rows)}

Learnt from: {data.rows:,} rows of the pair and {data.auxiliary_rows:,} of other pairs.
Hash of the columns {listed(data.columns)}: `{data.sha256[:16]}` (in full in `manifest.json`).
Rows of one `group_id` (near-duplicates) are never on two sides of a split. `out_of_fold.npy` holds, under hashed keys,
the scores of these rows by models that did not see their groups: tuning and certifying on them is honest too.

`specroute train --help` and `docs/outcomes.md` describe the file that a model of your own is trained from.
"""


def _method(manifest: Manifest) -> str:
    features, training = manifest.features, manifest.training
    return f"""
## Method

1. The first {features.head_chars:,} and last {features.tail_chars:,} characters are read, normalised (NFKC) and
   case-folded. Words, and characters of scripts without spaces, and pairs of neighbours are hashed into
   2^{features.hash_bits} buckets; all digits are one digit. Nothing but the text is read: no source, subject, task type
   or output format.
2. {len(features.dense)} surface measures: {listed(features.dense)}.
3. The mean of two halves, in log-odds. Words: logistic regression on n-grams weighted by rarity and scaled to length 1,
   and the surface measures. Network: {training["hidden"]} hidden units over the {training["rank"]} strongest directions
   of the n-grams (latent semantic analysis, learnt without labels) and the surface measures; beside the pair's own
   grades it learns to predict those of every other pair (weight {training["auxiliary_weight"]:g}), which shapes the
   hidden layer and is then dropped.
4. The same for P(large acceptable | mini not) and P(large acceptable | mini is). A large call is worth
   (1 - p) q0 - p (1 - q1): by this prompts are ranked where the objective is money.
5. Platt scaling, fitted on out-of-fold scores of all rows of the pair, folded into the ONNX graph.
6. Novelty: how thin training texts lie around the text, by a mixture of Gaussians over the first directions and the
   surface measures; .12 is the median of unseen texts of known kinds, .5 their 95th percentile.
7. The interval: a half-width in log-odds between what was measured on known and on left-out sources, by novelty.
8. Weights are stored as one byte each, which moves no probability of a training prompt by more than
   {training["rounding_max_abs_error"]:.1e}. The exported graph against the training framework on the stored weights:
   largest difference {manifest.parity_max_abs_error:.1e}; above 1e-5 nothing would have been written.
"""


def _tried(manifest: Manifest) -> str:
    cross, training = manifest.metrics["cross_validation"], manifest.training
    rows = [
        (
            _KINDS[item["kind"]] + (" (chosen)" if _is_chosen(item, training) else ""),
            number(item["inverse_penalty"], "g"),
            number(item["auxiliary_weight"], "g"),
            number(item["log_loss"], ".4f"),
            number(item["auroc"]),
            number(item["apgr_deciles"]),
        )
        for item in cross["tried"]
    ]
    return f"""
## What was tried

Out of fold ({cross["folds"]} folds by group), before calibration; chosen by log-loss. APGR ranks by 1 - p here, so that
all rows are alike. More recipes, a sentence encoder and tables distilled from one among them, RouteLLM's GSM8K
outcomes, and where each stops: docs/recipes.md of the project (`python -m benchmarks.recipes` measures them).

{table(("recipe", "C", "weight of other pairs", "log-loss", "AUROC", "APGR"), rows)}
"""


def _is_chosen(item: dict[str, Any], training: dict[str, Any]) -> bool:
    return item["kind"] == "blend" and all(
        item[name] == training[name] for name in ("inverse_penalty", "auxiliary_weight")
    )


_LIMITS = """
## Limits

- It knows the prompts it learnt from and their like. Recorded outcomes of public benchmarks are questions with
  checkable answers, one turn each, almost all in English; what is acceptable to a user is not what a benchmark counts
  as correct. Conversation, writing and other languages come out as novel: their probability is little more than the
  level of the data, and their interval says so.
- On a source that was left out, the ranking is close to chance and the level may be far off (see above). The interval
  is there to be used: send to the mini directly by its lower end, to the large model directly by its upper end.
- Where the AUROC of one source has 0.5 within its interval, the model does not rank that source's prompts; it knows
  their level at best.
- The text is all it sees: not the conversation before it, the system message, or the tools of the request.
- It knows words, pairs of words and the company they keep, not what they mean.
"""


def _cost(manifest: Manifest) -> str:
    return f"""
## Cost

Made to score 2,000 characters in at most 150 microseconds on one core, with a bound for any length, as at most
{manifest.features.head_chars + manifest.features.tail_chars:,} characters are read.
`python benchmarks/scoring.py` prints what it takes on your machine. A request that cannot be scored (no text, a
non-finite score) is treated as uncertain and counted.
"""
