"""What a refusal to help is made of, in any language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RefusalWords:
    """Fragments of RE2 patterns for one language.

    They are matched after NFKC and case folding, with straight apostrophes and without zero-width characters, so they
    are written in small letters.

    Attributes:
        language: its English name, for people.
        lead: how a refusal is introduced (an apology, "as an AI", "unfortunately"), at the very beginning.
        core: a first-person inability or unwillingness with a verb of helping or complying. It counts at the very
            beginning and anywhere after a lead. Where the verb comes last, all of the first clause may stand before it:
            up to a full stop, a colon or a brace, so that a quotation or JSON is not read as the model's own words.
        after_lead: an inability with a wider choice of verbs (write, create, discuss). It counts after a lead only:
            "I cannot provide an upper bound" alone is an ordinary sentence of an answer. "": the core is all there is.
    """

    language: str
    lead: str
    core: str
    after_lead: str = ""
