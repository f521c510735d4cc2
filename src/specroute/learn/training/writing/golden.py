"""Short texts, written for the project, whose scores every load of a model must reproduce."""

GOLDEN_TEXTS = (
    "What is the capital of Portugal?",
    "A shop sells pencils at 3 for 0.45 euro. How much do 14 pencils cost? Show each step.",
    "Which gas do plants take up for photosynthesis?\nA) Oxygen\nB) Nitrogen\nC) Carbon dioxide\nD) Helium\n",
    "def f(xs):\n    return [x * x for x in xs if x % 2]\n\nWhat does f([1, 2, 3]) return?",
    'Call a function. Available: [{"name": "book_table", "parameters": {"guests": "integer"}}]. Table for six.',
    "Prove that the square root of 2 is irrational, or explain why no such proof exists.",
    "12 * (7 + 5) / 4 = ?",
    "Übersetze ins Englische: Der Zug nach Zürich fährt um halb neun ab.",
    "¿Cuántos días hay en un año bisiesto?",
    "Сколько будет семью восемь? Ответь одним числом.",
    "水的沸点是多少摄氏度?请用一句话回答。",
    "次の文を要約してください。会議は来週の月曜日に延期されました。",
    "ما هي عاصمة المغرب؟ أجب بكلمة واحدة.",
    "भारत की राजधानी क्या है? एक शब्द में उत्तर दें।",
    "เมืองหลวงของประเทศไทยคืออะไร",
    "🙂🙃 ??? !!!",
)
