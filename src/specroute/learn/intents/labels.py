"""The words of the three inferences, and how recorded outcomes say the same."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TASK_TYPES = (
    *("analysis", "chat", "classification", "code_debugging", "code_generation", "extraction", "formatting", "math"),
    *("planning", "question_answering", "reasoning", "summarization", "tool_use", "translation", "writing"),
)
RISKS = ("low", "medium", "high")
RISK_DOMAINS = ("", "finance", "law", "medicine", "operations", "security")
"""``""``: none of them."""

_RECORDED_TASKS: Mapping[str, str] = MappingProxyType(
    {
        "mcq4": "question_answering",
        "mcq10": "question_answering",
        "math_word": "math",
        "code_output": "reasoning",
        "function_call": "tool_use",
        "procedural_reasoning": "reasoning",
    }
)
_SUBJECT_DOMAINS: Mapping[str, str] = MappingProxyType(
    {
        "law": "law",
        "professional_law": "law",
        "international_law": "law",
        "jurisprudence": "law",
        "health": "medicine",
        "clinical_knowledge": "medicine",
        "professional_medicine": "medicine",
        "college_medicine": "medicine",
        "anatomy": "medicine",
        "virology": "medicine",
        "medical_genetics": "medicine",
        "nutrition": "medicine",
        "professional_accounting": "finance",
        "econometrics": "finance",
        "business": "finance",
        "computer_security": "security",
    }
)


def task_type_of(recorded: str) -> str:
    """Returns the task type that a recorded row's word stands for; "": none of ours."""
    return recorded if recorded in TASK_TYPES else _RECORDED_TASKS.get(recorded, "")


def risk_domain_of(subject: str) -> str | None:
    """Returns the domain of a recorded row's subject; "": a subject that is none; ``None``: the row names none."""
    return _SUBJECT_DOMAINS.get(subject, "") if subject else None
