"""Prompts and answers, written for the project, that every load of a verifier must judge as when it was written."""

_ROLLS = (
    "\n## Question: \n\nA baker packs 6 rolls in each of 7 bags and sells 5 bags. How many rolls are left?\n\n\n"
    "## Instruction \n\nPlease answer this question by first reasoning and then providing your answer.\nPresent your "
    "reasoning and solution in the following json format. \nPlease show your final answer in the `answer` field, "
    'e.g.,`"answer": "42"`.\n\n```json\n{\n    "reasoning": "___",\n    "answer": "___"\n}\n```\n'
)
_PLANTS = (
    "The following is a multiple choice question (with answers) about biology. Think step by step and then finish your "
    'answer with "the answer is (X)" where X is the correct letter choice.\n\nQuestion:\nWhich gas do plants take up '
    "for photosynthesis?\nOptions:\nA. Oxygen\nB. Nitrogen\nC. Carbon dioxide\nD. Helium\nE. Argon\nF. Methane\n"
    "G. Ozone\nH. Neon\nI. Ammonia\nJ. Hydrogen\n"
)
_TABLE = (
    'Available functions (JSON):\n[{"name": "book.table", "description": "Book a table at a restaurant.", '
    '"parameters": {"type": "dict", "properties": {"guests": {"type": "integer", "description": "The number of guests."'
    '}}, "required": ["guests"]}}]\n\nUser request:\nBook a table for 6 guests at the restaurant, please.'
)

GOLDEN_ANSWERS = (
    (
        _ROLLS,
        '{\n"reasoning": "There are 6 * 7 = 42 rolls. 6 * 5 = 30 are sold, 42 - 30 = 12 are left.",\n"answer": "12"\n}',
    ),
    (_ROLLS, '{\n"reasoning": "There are 6 * 7 = 48 rolls and 5 bags are sold.",\n"answer": "43"\n}'),
    (_PLANTS, "Plants take carbon dioxide from the air and give off oxygen. The answer is (C)."),
    (_PLANTS, "Let me think. Animals breathe oxygen, so plants might too. The answer is (A)."),
    (_TABLE, '[{"book_table": "{\\"guests\\": 6}"}]'),
    (_TABLE, '[{"book_table": "{\\"guests\\": \\"many\\", \\"city\\": \\"Porto\\"}"}]'),
    ("俳句を一つ書いてください。", "古い井戸\n月を汲み上げ\n誰もいない"),
    ("Сколько будет 7 * 8? Ответь числом.", "7 * 8 = 56. Ответ: 56"),
    ("Tell me a story.", " "),
)
"""Pairs of prompt and answer."""
