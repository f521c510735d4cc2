"""Validators as a user writes them, named in configurations by import path."""

from specroute.core.outcome import Completion, Verdict, VerdictKind
from specroute.core.request import RouteRequest


class Polite:
    """A quality check: wants the magic word."""

    name = "polite"
    is_contract = False

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        if "please" in completion.text.lower():
            return Verdict(self.name, VerdictKind.ACCEPT, "magic_word")
        return Verdict(self.name, VerdictKind.REJECT, "no_magic_word")


class Broken:
    """Raises, quoting what it was given."""

    name = "broken"
    is_contract = True

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        raise RuntimeError(f"cannot judge {completion.text!r} for {request.last_user_text!r}")
