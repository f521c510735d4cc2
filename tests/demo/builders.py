from dataclasses import dataclass

from specroute.core.outcome import Attempt, AttemptCost, AttemptEnd, CostBasis, MoneySummary
from specroute.core.plan import PlanKind
from specroute.core.request import Message, Role, RouteRequest
from specroute.demo.run import PolicyRun, Result
from specroute.edge.client.aio import Answered, Receipt
from specroute.v1 import decision_pb2

ASKED = RouteRequest("", (Message(Role.USER, "2 + 2?"),))


@dataclass(frozen=True)
class FakeCase:
    source: str = "maths"
    request: RouteRequest = ASKED

    def is_right(self, answer: Answered) -> bool:
        return answer.text == "4"

    def is_from_its_tier(self, answer: Answered) -> bool:
        return answer.model == answer.tier


def attempt(
    tier: str, end: AttemptEnd, *, leg: int = 0, reason: str = "", cost: int = 0, speculative: bool = False
) -> Attempt:
    money = AttemptCost(CostBasis.METERED, cost, cost, cost)
    return Attempt(tier, f"{tier}-0", tier, leg, speculative, end, reason, cost=money)


def receipt(*attempts: Attempt, plan: PlanKind = PlanKind.DIRECT) -> Receipt:
    delivered = sum(one.cost.best_nano_usd for one in attempts if one.end is AttemptEnd.WON)
    waste = sum(one.cost.best_nano_usd for one in attempts) - delivered
    message = decision_pb2.Decision(request_id="made-up")
    return Receipt(plan, "threshold", attempts, MoneySummary(delivered, waste), 0.1, message)


def answered(tier: str, told: Receipt, *, text: str = "4") -> Answered:
    return Answered("id", text, (), "stop", tier, f"{tier}-0", tier, False, told)


def delivered(
    tier: str, told: Receipt | None = None, *, right: bool = True, latency_s: float = 1.0, source: str = "maths"
) -> Result:
    told = told or receipt(attempt(tier, AttemptEnd.WON, cost=10 if tier == "mini" else 100))
    return Result(FakeCase(source), latency_s, answered(tier, told), told, is_right=right)


def failed(reason: str, told: Receipt | None = None, *, latency_s: float = 1.0, source: str = "maths") -> Result:
    return Result(FakeCase(source), latency_s, None, told, failure=reason)


def run_of(policy: str, *results: Result, expected: int | None = None) -> PolicyRun:
    return PolicyRun(policy, expected or len(results), dict(enumerate(results)))
