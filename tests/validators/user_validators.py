"""Validators as users write them, right and wrong, to be loaded by import path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest


class Polite:
    name = "polite"
    is_contract = False

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        return Verdict(self.name, VerdictKind.ACCEPT, "polite")


class NeedsArguments(Polite):
    def __init__(self, level: int) -> None:
        self.level = level


class Nameless(Polite):
    name = ""


class TakesABuiltInName(Polite):
    name = "complete"


class TakesTheVerifiersName(Polite):
    name = "verifier"


class HalfLearnt(Polite):
    is_learnt = "somewhat"


class WithoutContract(Polite):
    is_contract = "yes"  # type: ignore[assignment]  # what is wrong with it


class Asynchronous(Polite):
    async def judge(self, request: RouteRequest, completion: Completion) -> Verdict:  # type: ignore[override]  # ditto
        return Verdict(self.name, VerdictKind.ACCEPT, "polite")


class WithoutCompletion(Polite):
    def judge(self, request: RouteRequest) -> Verdict:  # type: ignore[override]  # ditto
        return Verdict(self.name, VerdictKind.ACCEPT, "polite")


class EarlyPolite(Polite):
    end_reasons = frozenset(("rude_ending",))

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        return PrefixVerdict(PrefixKind.ACCEPT, "polite")


class WithoutEndReasons(EarlyPolite):
    end_reasons = "rude_ending"  # type: ignore[assignment]  # what is wrong with it


class AsynchronousPrefix(EarlyPolite):
    async def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:  # type: ignore[override]  # ditto
        return PrefixVerdict(PrefixKind.ACCEPT, "polite")


class WithoutJudge:
    name = "idle"
    is_contract = False


POLITE = Polite()
NUMBER = 3


def make_polite() -> Polite:
    return Polite()


class Shelf:
    polite = Polite
