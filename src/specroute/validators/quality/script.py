"""Whether an answer is written in a script that its prompt does not use."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import re2

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.core.request import TextOutput

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

READ_LETTERS: Final = 60
"""How many letters of an answer are read: more than half of them must be of one foreign script."""
MIN_LETTERS: Final = 20
"""With fewer letters in all, a name or a quoted word could be the whole answer."""

_MAJORITY = READ_LETTERS // 2 + 1
_READ_CHARACTERS = 1_000
_PROMPT_CHARACTERS = 100_000
_CODE = "```"
_EXEMPT_TASKS = frozenset(("translation", "code_generation", "code_debugging"))
# A Japanese text mixes them, and a Chinese one is no mistake to be found here.
_ONE_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK", "BOPOMOFO": "CJK"}
_LANGUAGE_NAMED = re2.compile(
    r"(?i)\b(?:translat\w*|transliterat\w*|languages?|english|chinese|mandarin|cantonese|japanese|korean|russian"
    r"|ukrainian|bulgarian|serbian|greek|arabic|persian|farsi|urdu|hebrew|yiddish|hindi|sanskrit|marathi|nepali|bengali"
    r"|bangla|punjabi|gujarati|tamil|telugu|kannada|malayalam|sinhala|sinhalese|thai|lao|khmer|burmese|georgian"
    r"|armenian|amharic|tigrinya|mongolian|kazakh|kanji|hiragana|katakana|pinyin|romaji|cyrillic|idioma|langue|sprache"
    r"|lingua|język|dilde|ingl[eé]s|anglais|englisch|inglese)\b|язык|перев|англ|翻译|翻譯|翻訳|英文|英语|英語|中文|汉语"
    r"|漢語|日文|日语|日語|日本語|韩语|韓語|韓国語|俄语|语言|語言|言語|번역|영어|중국어|일본어|한국어|언어|ترجم|نجليزي|لغة"
    r"|अंग्रेज|अनुवाद|भाषा|ภาษา|แปล|אנגלית|תרגם|γλώσσα|αγγλικ|μετάφρα"
)

_TOO_LITTLE = PrefixVerdict(PrefixKind.UNDECIDED, "too_little_text")
_SETTLED = PrefixVerdict(PrefixKind.ACCEPT, "same_script", is_settled=True)
_FOREIGN = PrefixVerdict(PrefixKind.REJECT, "foreign_script")


class SameScript:
    """Rejects an answer written mostly in a script that no message of the request uses. Reason: ``foreign_script``.

    It accepts with ``same_script``. It abstains where no script is the right one: too little text
    (``too_little_text``); a prompt that mixes scripts, has no letters, or speaks of languages (``any_script``); a task
    of translation or code, any form but free text, and tool calls (``not_prose``). Read are the first ``READ_LETTERS``
    letters up to a block of code, so that the beginning of an answer decides as the whole of it does.
    """

    name = "same_script"
    is_contract = False
    end_reasons: frozenset[str] = frozenset()

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT, REJECT or ABSTAIN."""
        if completion.tool_calls or not _asks_for_prose(request):
            return Verdict(self.name, VerdictKind.ABSTAIN, "not_prose")
        kind, reason = _judged(request, _read(completion.text))
        return Verdict(self.name, kind, reason)

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Decides for good once one script has the majority of all letters that are read, or all of them have come."""
        if prefix.has_tool_calls or not _asks_for_prose(request):
            return _SETTLED
        found = _read(prefix.text)
        if found.most < _MAJORITY and not found.is_all:
            return _TOO_LITTLE
        return _FOREIGN if _judged(request, found)[0] is VerdictKind.REJECT else _SETTLED


def _asks_for_prose(request: RouteRequest) -> bool:
    return isinstance(request.output, TextOutput) and request.hints.task_type not in _EXEMPT_TASKS


class _Letters(NamedTuple):
    """The letters that are read of a text: how many, the script of most of them, and how many those are.

    ``is_all``: however the text goes on, no other letter is read.
    """

    letters: int
    script: str
    most: int
    is_all: bool


def _read(text: str) -> _Letters:
    prose, code, _ = text[:_READ_CHARACTERS].partition(_CODE)
    letters = islice(filter(str.isalpha, prose), READ_LETTERS)
    scripts = Counter({"LATIN": sum(1 for _ in letters)} if prose.isascii() else map(_script, letters))
    script, most = scripts.most_common(1)[0] if scripts else ("", 0)
    count = scripts.total()
    return _Letters(count, script, most, bool(code) or len(text) >= _READ_CHARACTERS or count == READ_LETTERS)


def _judged(request: RouteRequest, found: _Letters) -> tuple[VerdictKind, str]:
    if found.letters < MIN_LETTERS:
        return VerdictKind.ABSTAIN, "too_little_text"
    used = _prompt_scripts(request)
    if 2 * found.most <= found.letters or found.script in used:
        return VerdictKind.ACCEPT, "same_script"
    if _may_use_any(request, used):
        return VerdictKind.ABSTAIN, "any_script"
    return VerdictKind.REJECT, "foreign_script"


def _prompt_scripts(request: RouteRequest) -> frozenset[str]:
    """Returns the scripts of the prompt: of its latest part, where it is very long."""
    signs: set[str] = set()
    left = _PROMPT_CHARACTERS
    for message in reversed(request.messages):
        signs.update(message.content[-left:])
        left -= len(message.content)
        if left <= 0:
            break
    return frozenset(_script(sign) for sign in signs if sign.isalpha())


def _may_use_any(request: RouteRequest, used: frozenset[str]) -> bool:
    return len(used) != 1 or any(_LANGUAGE_NAMED.search(message.content) for message in request.messages)


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str:
    """Returns the first word of the letter's name in Unicode, which is its script."""
    name = unicodedata.name(unicodedata.normalize("NFKC", letter)[0], "").partition(" ")[0]
    return _ONE_SCRIPT.get(name, name)
