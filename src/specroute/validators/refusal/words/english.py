"""How an English answer refuses."""

from __future__ import annotations

from specroute.validators.refusal.words.fragments import RefusalWords

CAN_NOT = (
    r"(?:i|we)(?: (?:\w+ly|also|just|simply|still|really|must say i))?(?: (?:can(?:not|'t| not)(?: (?:and|or) "
    r"(?:will not|won't))?|could(?: not|n't)|won't|will not|shouldn't|should not|must (?:respectfully )?(?:decline"
    r"|refuse)|(?:do not|don't) feel comfortable|(?:respectfully )?(?:refuse|decline)|(?:have|need|am going|'ll "
    r"have)(?: to)? (?:respectfully )?(?:decline|refuse))|(?:'m| am|'re| are) (?:\w+ly )?(?:unable|not able|not "
    r"allowed|not permitted|not authorized|not comfortable|unwilling|not willing|not in a position|not programmed"
    r"|not designed|prohibited from|not going|forbidden))(?: to)? (?:be able to |in good conscience,? )?(?:\w+ly "
    r")?"
)
"""A first person who is unable, unwilling or not allowed, up to the verb."""

ENGLISH = RefusalWords(
    "English",
    r"(?:(?:oh|well|hi|hello|hey)(?: there)?[,.! ]+)?(?:(?:i|we)(?:'m| am|'re| are) (?:\w+ )?(?:sorry|afraid)"
    r"|sorry|(?:i|we) (?:sincerely |do )?apologi[sz]e|(?:my |our )?(?:sincere )?apologies|unfortunately"
    r"|regrettably|i regret|as an? (?:[\w-]+ )*?(?:ai|artificial intelligence|language model|assistant|chatbot"
    r"|llm)\b|i(?:'m| am) (?:just |only )?an? (?:[\w-]+ )*?(?:ai|language model|assistant)\b|i understand|i "
    r"appreciate|i hear you|i know (?:you|that you)|thank(?:s| you) for (?:reaching out|asking|your (?:question"
    r"|message|request|query|inquiry))|i must be (?:honest|clear)|(?:this|that|your) (?:request|question|prompt))",
    r"(?:no[,.] )?(?:"
    + CAN_NOT
    + r"(?:(?:assist|help|support|helping|assisting)(?: (?:you|anyone|users?))?(?: (?:with|in|to|out|on|by)\b|[ "
    r".!,;:]*$|[.!,;:])|(?:comply|complying|fulfil+|complete|process|honou?r|accommodate|satisfy|answer"
    r"|respond to|carry out|grant|proceed with|engage with|address|fulfilling|do what|continue with|act on"
    r"|support|perform|execute)\b[^.!?\n]*?\b(?:requests?|that|this|questions?|prompts?|inquir(?:y|ies)"
    r"|quer(?:y|ies)|tasks?|instructions?|you ask)\b|comply\b|do (?:that|this|so)[ ,.!]*$|(?:provide|give"
    r"|offer|share|generate|create|write|produce|discuss|engage in|participate in|providing|creating) (?:you "
    r"|with |any |such |this |that |the |a |an |specific |detailed |explicit |kind |type |of |step-by-step "
    r")*(?:instructions?|guidance|advice|assistance|help|information (?:on|about|that|to|for|or|regarding)"
    r"|content|material|guide|tutorial|such|(?:that|this|these|those) (?:\w+ )?(?:information|details|kind"
    r"|type|request)\b|(?:that|this)[.!,;]|what you))|i(?: (?:do not|don't) feel|'m not| am not) comfortable "
    r"(?:writing|creating|discussing|providing|helping|assisting|engaging|sharing|answering|generating)"
    r"|(?:this|that|your) (?:request|prompt|question|content) (?:\w+ )*?(?:violates?|goes against|is against"
    r"|conflicts with|breaks|is not something i|isn't something i)|(?:that|this)(?:'s| is) (?:not something"
    r"|something) (?:(?:that )?i)(?:'m| am)? (?:can't|cannot|can|able to|unable to|won't|will|am able to) "
    r"(?:help|assist|do|provide|support|write|create)|i(?:'m going to| am going to|'ll| will)? (?:must|have to"
    r"|need to) (?:respectfully |politely )?(?:decline|refuse) (?:this|that|your|to (?:answer|assist|help"
    r"|provide|write|create|engage|discuss))|i(?:'m going to| am going to|'ll) have to (?:decline|refuse)"
    r"|i(?:'d| would) (?:prefer not to|rather not) (?:continue|answer|discuss|help|assist|write|engage"
    r"|provide)|it(?:'s| is| would be|'d be) (?:not (?:appropriate|ethical)|inappropriate|unethical|against "
    r"my guidelines) (?:for me )?to (?:provide|assist|help|create|write|answer|discuss)|(?:i'm )?sorry,? "
    r"(?:but )?(?:can't|cannot|unable to) (?:help|assist|comply|do) |i (?:don't|do not) think i can (?:help"
    r"|assist) (?:you )?with)",
    CAN_NOT + r"(?:assist|help (?:you|with|in|create|make|write|anyone)|comply|fulfil|provid|giv(?:e|ing)|offer|share"
    r"|creat|generat|writ(?:e|ing)|produc|mak(?:e|ing)|draft|compos|discuss|describ|explain|engag|participat"
    r"|facilitat|promot|encourag|support|condon|endors|recommend|continue|do (?:that|this|so|anything)|answer"
    r"|respond|complet|process|perform|execut|carry|proceed|accommodat|disclos|reveal|teach|guid|advis|tell "
    r"you|show you|walk you|talk about|comment|role-?play|pretend|act as|take part|be part|go along|grant"
    r"|translat|summari)",
)
