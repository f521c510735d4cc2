"""The words of a refusal to help, by language."""

from specroute.validators.refusal_words.asian import ASIAN
from specroute.validators.refusal_words.english import ENGLISH
from specroute.validators.refusal_words.european import EUROPEAN
from specroute.validators.refusal_words.words import RefusalWords

REFUSAL_WORDS: tuple[RefusalWords, ...] = (ENGLISH, *EUROPEAN, *ASIAN)

__all__ = ["REFUSAL_WORDS", "RefusalWords"]
