"""The recommended configuration: the user's file with what was found in it, its diff, and the certified alternative."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specroute.config import ConfigError, format_duration, parse_settings
from specroute.config.parse import parse
from specroute.predictor.certificate import CERTIFICATE_FILE
from specroute.tuning.recommended.edits import certified_setting, edits_of, written_thresholds
from specroute.tuning.recommended.text_edits import CannotEdit, edited, edited_data
from specroute.tuning.recommended.words import effect_in_words

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.config import Settings
    from specroute.learn.metrics import Figure
    from specroute.tuning.findings import Certified, Effect, Found, Setting
    from specroute.tuning.recommended.text_edits import Edit

RECOMMENDED_FILE, CERTIFIED_FILE = "recommended.yaml", "certified.yaml"


@dataclass(frozen=True, slots=True)
class Base:
    """The configuration that is changed.

    Attributes:
        name: what the diff calls it.
        folder: relative paths in it start here.
        model: the predictor's folder where another than the configured one has scored the rows; "": none has.
    """

    name: str
    text: str
    folder: Path
    model: str = ""

    def settings(self) -> Settings:
        """Returns what it says; secrets are not looked up.

        Raises:
            ConfigError: it is no configuration.
        """
        return parse_settings(self.text, self.name, folder=self.folder, environ=None)


@dataclass(frozen=True, slots=True)
class Origin:
    """What of a run is written beside the thresholds, besides what was found.

    Attributes:
        latency_model: its name.
    """

    latency_model: str
    seed: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Files to write.

    Attributes:
        base: what was changed.
        text: the whole recommended file; ``diff`` from the base to it, with the expected effect above.
        certified: the whole file that serves by the certificate in ``CERTIFICATE_FILE`` beside it; "": there is none.
        notes: what of the base is no part of the expected effect, a sentence each.
    """

    base: Base
    text: str
    diff: str
    certified: str
    notes: tuple[str, ...]


def recommendation(found: Found, base: Base, origin: Origin) -> Recommendation:
    """Returns the recommended configuration.

    Raises:
        CannotEdit: the base is laid out in a way that cannot be edited safely.
        ConfigError: the base is no configuration.
    """
    setting, effect = _recommended(found)
    settings = base.settings()
    text = _changed(base, setting, provenance(found, setting, effect, origin))
    own = found.certified
    certified = ""
    if own is not None and not own.certificate.always_large:
        alternative = certified_setting(own, setting)
        section = provenance(found, alternative, own.effect, origin, certificate_gives_cuts=True)
        certified = _changed(base, alternative, section, certificate=CERTIFICATE_FILE)
    header = _header(found, effect)
    diff = difflib.unified_diff(
        base.text.splitlines(keepends=True), text.splitlines(keepends=True), base.name, RECOMMENDED_FILE
    )
    return Recommendation(base, text, header + "".join(diff), certified, tuple(_notes(settings)))


def provenance(
    found: Found, setting: Setting, effect: Effect, origin: Origin, *, certificate_gives_cuts: bool = False
) -> dict[str, Any]:
    """Returns the ``policy.tuned`` section."""
    targets = found.targets
    written = written_thresholds(setting, with_cuts=not certificate_gives_cuts)
    if setting.cuts.min_p is not None and not certificate_gives_cuts:
        written["min_p"] = float(setting.cuts.min_p)
    deadline = None if targets.deadline_s is None else format_duration(targets.deadline_s)
    return {
        "data_sha256": found.data_sha256,
        "model_version": found.model_version,
        "pair": found.pair,
        "mode": targets.mode.value,
        "max_quality_loss": targets.max_quality_loss,
        "latency_value_usd_per_s": targets.latency_value_usd_per_s,
        "deadline": deadline,
        "latency_model": origin.latency_model,
        "seed": origin.seed,
        "thresholds": written,
        "certificate": _short(found.certified, is_own=certificate_gives_cuts),
        "expected": {
            name: _rounded(getattr(effect, name)) for name in ("saved_ratio", "retention", "p50_ratio", "p99_ratio")
        },
    }


def _recommended(found: Found) -> tuple[Setting, Effect]:
    policy = found.policy("recommended")
    return (found.optimum.setting if policy.setting is None else policy.setting), policy.effect


def _short(certified: Certified | None, *, is_own: bool) -> dict[str, Any] | None:
    if certified is None or certified.certificate.always_large:
        return None
    own = certified.certificate
    return {
        "alpha": own.alpha,
        "confidence": round(1.0 - own.delta, 12),
        "method": own.method,
        "n": own.n,
        "covers": is_own or certified.covers_recommended,
    }


def _changed(base: Base, setting: Setting, tuned: dict[str, Any], *, certificate: str = "") -> str:
    """Returns the base's text with the setting in it, after the proof that nothing else has changed."""
    root = parse(base.name, base.text).root
    edits = edits_of(root, setting, tuned, certificate=certificate, model=base.model)
    text = edited(base.text, edits)
    if not _holds(text, base.name, edited_data(root, edits)):
        raise CannotEdit(f"{base.name}: {_by_hand(edits)}")
    return text


def _holds(text: str, name: str, wanted: dict[str, Any]) -> bool:
    try:
        return parse(name, text).root == wanted
    except ConfigError:
        return False


def _by_hand(edits: list[Edit]) -> str:
    keys = ", ".join(sorted({".".join(map(str, edit.path)) for edit in edits}))
    return f"its layout cannot be edited safely; write {keys} as plain 'key: value' lines, or leave out --config"


def _header(found: Found, effect: Effect) -> str:
    targets = found.targets
    lines = (
        f"specroute tune: {targets.mode.value}, {found.pair}, at most {targets.max_quality_loss:.1%} of quality lost",
        *effect_in_words(effect),
        f"measured on {found.n_holdout:,} rows that nothing was tuned on; latencies: {found.latency}",
        f"data {found.data_sha256[:12]}, model {found.model_version}",
    )
    return "".join(f"# {line}\n" for line in lines)


def _notes(settings: Settings) -> list[str]:
    notes = []
    if settings.policy.rules:
        count = len(settings.policy.rules)
        what = "1 rule" if count == 1 else f"{count} rules"
        notes.append(f"{what} of the configuration bind before the thresholds: the expected effect is without them.")
    own = [item.name for item in settings.validation.validators if item.webhook or item.use]
    if own:
        notes.append(f"The validators {', '.join(own)} were not asked: the expected effect is without them.")
    return notes


def _rounded(figure: Figure) -> float:
    return round(0.0 if figure.value is None else figure.value, 4)
