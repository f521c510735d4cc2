"""Whether an answer is a refusal to help instead of an answer."""

from specroute.validators.refusal.validator import MAX_REFUSAL_CHARACTERS, NotRefusal, is_refusal

__all__ = ["MAX_REFUSAL_CHARACTERS", "NotRefusal", "is_refusal"]
