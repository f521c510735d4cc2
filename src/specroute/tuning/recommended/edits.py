"""Which keys of a configuration a setting changes: those that differ, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specroute.config import format_duration, parse_duration_s
from specroute.config.schema.validation import DEFAULT_VALIDATORS, VERIFIER
from specroute.tuning.findings import Setting
from specroute.tuning.recommended.text_edits import Drop, Put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from specroute.tuning.findings import Certified
    from specroute.tuning.recommended.text_edits import Edit

ON_REJECTION = "on_rejection"
_THRESHOLDS = ("policy", "thresholds")


def asks_one_tier(setting: Setting) -> bool:
    """Whether it is always-large or always-mini, which thresholds cannot say: their cuts do not meet."""
    cuts = setting.cuts
    return cuts.direct_mini <= 0.0 or cuts.direct_large >= min(cuts.direct_mini, 1.0)


def written_thresholds(setting: Setting, *, with_cuts: bool = True) -> dict[str, Any]:
    """Returns ``policy.thresholds`` as the file writes it.

    A cut that is never reached is written as the end of [0, 1]: no chance is ever as sure as that.
    """
    cuts = setting.cuts
    delay_s = setting.hedge_delay_s
    delay = {"hedge_delay": ON_REJECTION if delay_s is None else format_duration(round(delay_s, 3))}
    if not with_cuts:
        return delay
    return {
        "direct_mini": float(min(cuts.direct_mini, 1.0)),
        "direct_large": float(max(cuts.direct_large, 0.0)),
        **delay,
    }


def certified_setting(certified: Certified, setting: Setting) -> Setting:
    """Returns the recommended delay, with or without a verifier as the certificate has it; its file gives the cuts."""
    certificate = certified.certificate
    min_p = None if certificate.thresholds.min_p is None else 0.0
    must_wait = certificate.requires.prefer == "cheapest"
    return Setting(replace(setting.cuts, min_p=min_p), None if must_wait else setting.hedge_delay_s)


def edits_of(
    root: Mapping[str, Any],
    setting: Setting,
    tuned: Mapping[str, Any] | None,
    *,
    certificate: str = "",
    model: str = "",
) -> list[Edit]:
    """Returns the edits that make a configuration which holds ``root`` decide by ``setting``.

    Args:
        root: the parsed file.
        setting: cuts and delay.
        tuned: the ``policy.tuned`` section; ``None``: no word of where it comes from.
        certificate: the file that gives the cuts in place of ``setting``; "": the setting's own.
        model: the predictor's folder where it is not the configured one; "": it is.
    """
    policy = root.get("policy") or {}
    return [
        *_predictor(root, model),
        *_kind(policy),
        *_cuts(policy, setting, certificate),
        *([Drop(("policy", "tuned"))] if "tuned" in policy else []),
        *([] if tuned is None else [Put(("policy", "tuned"), dict(tuned), as_block=True, after="thresholds")]),
        *_verifier(root, None if certificate else setting.cuts.min_p, has_verifier=setting.cuts.min_p is not None),
        *_speculation(root, setting),
    ]


def _predictor(root: Mapping[str, Any], model: str) -> Iterator[Edit]:
    if not model:
        return
    if "prior" in (root.get("predictor") or {}):
        yield Put(("predictor",), {"model": model})
    else:
        yield Put(("predictor", "model"), model)


def _kind(policy: Mapping[str, Any]) -> Iterator[Edit]:
    if policy.get("kind", "thresholds") != "thresholds":
        yield Put(("policy", "kind"), "thresholds")
    if "tier" in policy:
        yield Drop(("policy", "tier"))


def _cuts(policy: Mapping[str, Any], setting: Setting, certificate: str) -> Iterator[Edit]:
    own = policy.get("thresholds") or {}
    wanted = written_thresholds(setting, with_cuts=not certificate)
    if not own:
        yield Put(_THRESHOLDS, wanted, after="kind")
    elif certificate and set(own) - {"hedge_delay"}:
        yield Put(_THRESHOLDS, wanted)
    else:
        for key, value in wanted.items():
            if key not in own or not _is_same(own[key], value):
                yield Put((*_THRESHOLDS, key), value)
    if certificate:
        if policy.get("certificate") != certificate:
            yield Put(("policy", "certificate"), certificate, after="thresholds")
    elif policy.get("certificate") is not None:
        yield Drop(("policy", "certificate"))


def _verifier(root: Mapping[str, Any], min_p: float | None, *, has_verifier: bool) -> Iterator[Edit]:
    path = ("validation", "validators")
    validation = root.get("validation") or {}
    items: Sequence[Any] | None = validation.get("validators")
    if items is None:
        items = DEFAULT_VALIDATORS
        if has_verifier:
            yield Put(path, list(items))
    cut = {} if min_p is None else {"min_p": float(min_p)}
    at = next((at for at, item in enumerate(items) if _name(item) == VERIFIER), None)
    if not has_verifier:
        if at is not None:
            yield Drop((*path, at))
        return
    if at is None:
        yield Put((*path, len(items)), {"name": VERIFIER, "on_abstain": "reject", **cut})
        return
    item = items[at]
    if not isinstance(item, dict):
        yield Put((*path, at), {"name": VERIFIER, "on_abstain": "reject", **cut})
        return
    if item.get("on_abstain") != "reject":
        yield Put((*path, at, "on_abstain"), "reject")
    if not cut and "min_p" in item:
        yield Drop((*path, at, "min_p"))
    if cut and item.get("min_p") != cut["min_p"]:
        yield Put((*path, at, "min_p"), cut["min_p"])


def _name(item: object) -> object:
    return item.get("name") if isinstance(item, dict) else item


def _speculation(root: Mapping[str, Any], setting: Setting) -> Iterator[Edit]:
    """A hedge needs two legs at a time, and was searched with the first acceptable answer delivered."""
    if setting.hedge_delay_s is None:
        return
    if (root.get("speculation") or {}).get("max_legs", 2) < 2:
        yield Put(("speculation", "max_legs"), 2)
    if (root.get("race") or {}).get("prefer", "first_valid") != "first_valid":
        yield Put(("race", "prefer"), "first_valid")


def _is_same(own: object, wanted: object) -> bool:
    if isinstance(wanted, float):
        return isinstance(own, (int, float)) and float(own) == wanted
    return own == wanted or (own != ON_REJECTION != wanted and parse_duration_s(own) == parse_duration_s(wanted))
