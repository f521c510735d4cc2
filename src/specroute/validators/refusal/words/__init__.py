"""The words of a refusal to help, by language."""

from specroute.validators.refusal.words.asian import ASIAN
from specroute.validators.refusal.words.english import ENGLISH
from specroute.validators.refusal.words.european import EUROPEAN
from specroute.validators.refusal.words.fragments import RefusalWords

REFUSAL_WORDS: tuple[RefusalWords, ...] = (ENGLISH, *EUROPEAN, *ASIAN)

__all__ = ["REFUSAL_WORDS", "RefusalWords"]
