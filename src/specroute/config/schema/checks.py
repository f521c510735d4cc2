"""What one section says about another: names that must exist, and settings that contradict each other."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from specroute.config.errors import shown
from specroute.config.schema.policy import WhenSettings
from specroute.config.schema.settings import Settings
from specroute.config.schema.validation import BUILT_IN_VALIDATORS, VERIFIER, RuleValidatorSettings

Finding = tuple[tuple[str | int, ...], str]
"""Path of the key, and what is wrong with it; how to mend it."""


def cross_check(settings: Settings) -> Iterator[Finding]:
    """Yields what is wrong between the sections of settings that are valid one by one."""
    yield from _names_once(settings)
    yield from _tiers_exist(settings)
    yield from _rules(settings)
    yield from _verifiers(settings)
    if settings.predictor is None and settings.policy.kind == "thresholds":
        yield ("predictor",), "missing; write predictor: {model: PATH}, or {prior: 0.7} for a fixed score"
    if settings.listen == settings.metrics_listen and settings.listen.port:
        yield ("metrics_listen",), f"{settings.listen} is the address of the service itself; write another port"


def _names_once(settings: Settings) -> Iterator[Finding]:
    yield from _once((("tiers", index, "name"), tier.name) for index, tier in enumerate(settings.tiers))
    # A tier's name given twice makes the derived names of its upstreams collide: one slip, one problem.
    if len(set(settings.tier_names)) == len(settings.tiers):
        yield from _once(
            (("tiers", tier_index, "upstreams", index, "name"), upstream.name)
            for tier_index, tier in enumerate(settings.tiers)
            for index, upstream in enumerate(tier.upstreams)
        )
    yield from _once(
        (("policy", "rules", index, "name"), rule.name) for index, rule in enumerate(settings.policy.rules)
    )
    yield from _once(
        (("validation", "validators", index), item.name) for index, item in enumerate(settings.validation.validators)
    )


def _once(names: Iterable[tuple[tuple[str | int, ...], str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield path, f"{shown(name)} is taken; give it a name of its own"
        seen.add(name)


def _tiers_exist(settings: Settings) -> Iterator[Finding]:
    tiers = settings.tier_names
    if settings.policy.tier is not None:
        yield from _known(("policy", "tier"), settings.policy.tier, tiers)
    if settings.predictor is None:
        return
    for index, tier in enumerate(settings.predictor.tiers):
        yield from _known(("predictor", "tiers", index), tier, tiers)
    if not isinstance(settings.predictor.prior, float):
        for tier in settings.predictor.prior or ():
            yield from _known(("predictor", "prior", tier), tier, tiers)


def _rules(settings: Settings) -> Iterator[Finding]:
    validators = {item.name: None for item in settings.validation.validators} | dict.fromkeys(BUILT_IN_VALIDATORS)
    catch_all = ""
    for index, rule in enumerate(settings.policy.rules):
        path = ("policy", "rules", index)
        if catch_all:
            yield path, f"never reached, rule {shown(catch_all)} before it matches every request; move it up"
        if rule.when == WhenSettings():
            catch_all = rule.name
        for key in ("route", "start"):
            if (tier := getattr(rule, key)) is not None:
                yield from _known((*path, key), tier, settings.tier_names)
        for key in ("race", "allow"):
            for place, tier in enumerate(getattr(rule, key) or ()):
                yield from _known((*path, key, place), tier, settings.tier_names)
        for place, item in enumerate(rule.validators):
            if item.use is None and item.webhook is None:
                yield from _known((*path, "validators", place), item.name, tuple(validators), what="validator")


def _verifiers(settings: Settings) -> Iterator[Finding]:
    has_model = settings.predictor is not None and settings.predictor.model is not None
    configured = settings.validation.validators
    items: list[tuple[tuple[str | int, ...], RuleValidatorSettings]] = []
    items += [(("validation", "validators", index), item) for index, item in enumerate(configured)]
    is_configured = any(item.name == VERIFIER for item in configured)
    for index, rule in enumerate(settings.policy.rules):
        for place, extra in enumerate(rule.validators):
            path: tuple[str | int, ...] = ("policy", "rules", index, "validators", place)
            if extra.name == VERIFIER and rule.route is not None:
                yield path, "never asked, the answer of a route's only tier is final; write start in place of route"
            elif not (extra.is_a_name_alone and is_configured):
                items.append((path, extra))
    for path, item in items:
        if item.name == VERIFIER and item.model is None and not has_model:
            yield path, "no model to verify with; add model: PATH to it, or write predictor: {model: PATH}"


def _known(path: tuple[str | int, ...], name: str, known: Sequence[str], *, what: str = "tier") -> Iterator[Finding]:
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    mend = f"did you mean {near[0]!r}?" if near else f"the {what}s are {', '.join(known)}"
    yield path, f"unknown {what} {shown(name)}; {mend}"
