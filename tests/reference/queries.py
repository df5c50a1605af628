"""The queries whose answers are committed: one for each thing that can go wrong."""

LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitän"

CONTEXTS = [
    "<e: Alan_Turing> Alan Turing </e> was born in <e: London> London </e> and read mathematics.",
    "The old lighthouse at Cape Verran was built by fishermen in 1874; it is kept by their grandchildren.",
    "太阳照在古老的城市上,河水静静地流。 السماء زرقاء",
    "Music from the open windows of the conservatory could be heard across the whole square, every day.",
]

# (id, words, contexts). No contexts key at all would mean retrieval; these expert bundles have no index.
NER = [
    ("plain", "Kolo loves the sun and Maria Estrada".split(), []),
    ("with-contexts", "Kolo loves the sun in London".split(), CONTEXTS[:2]),
    ("one-word", ["Kolo"], CONTEXTS[1:2]),
    ("no-words", [], []),
    ("no-words-but-contexts", [], CONTEXTS[:1]),
    ("contexts-cut-at-the-limit", "the football team from New Brighton won".split(), CONTEXTS + CONTEXTS),
    ("word-without-sub-tokens", ["Kolo", "\u200b", "", "loves", " ", "\ufeff"], CONTEXTS[:1]),
    ("a-context-without-sub-tokens", ["Kolo", "sings"], ["\u200b"]),
    ("emoji", ["so", "happy", "👩\u200d👩\u200d👧", "👍🏽", "🇳🇴", "!!!", ":)"], ["☀️ 🌊"]),
    ("cjk", ["北京大学", "的", "学生", "去", "东京", "カメラ", "ｶﾒﾗ", "서울"], CONTEXTS[2:3]),
    ("arabic-and-hebrew", ["زار", "محمد", "المتحف", "العَرَبِيَّة", "שמש", "مع"], ["الشمس تشرق على المدينة"]),
    ("combining-marks", ["e\u0301le\u0300ve", "Z͑ͫ̓algo", "\u0301", "q\u0323\u0307", "İstanbul", "हिन्दी"], []),
    ("normalized-forms", ["ＡＢＣ", "ﬁnally", "①", "…", "½", "™", "Ⅷ", "㎏", "a\u00a0b", "New York"], []),
    ("long-words", [LONG_WORD, "in", LONG_WORD.lower()], CONTEXTS[:1]),
    ("truncated-in-the-middle", ["Kolo", LONG_WORD, LONG_WORD, "in", "London"], []),
    ("truncated-with-room-for-contexts", ["Kolo", "loves", LONG_WORD, "the", LONG_WORD, "sun"], CONTEXTS[:2]),
    ("truncated-many-words", [f"word{n}" for n in range(60)], CONTEXTS[:1]),
    ("first-word-does-not-fit", [LONG_WORD * 3, "Kolo"], CONTEXTS[:1]),
    ("markers-are-plain-words-here", ["<S>", "Kolo", "</S>", "<e:", "Alan_Turing>"], []),
    ("social", "RT @kolo_the_cat : #sunset https://example.org/x?y=1 lol…".split(), CONTEXTS[3:]),
]

# `tokenizer.json` finds special tokens in text, and `transformers` gives padding no position of its own.
# sentencepiece itself sees plain characters here, so its form of the vocabulary is not asked.
NER_SPECIAL = [("special-tokens-as-words", ["<s>", "Kolo", "</s>", "<pad>", "sings", "<mask>", "sun"], ["a <pad> </s> b"])]

# (id, words, subject, object, contexts)
SENTENCE = "Maria Estrada joined the Harbour Museum in London after ten years".split()
RE = [
    ("apart", SENTENCE, [0, 2], [4, 6], CONTEXTS[:2]),
    ("object-first", SENTENCE, [7, 8], [0, 2], CONTEXTS[:1]),
    ("adjacent-subject-first", SENTENCE, [0, 1], [1, 2], []),
    ("adjacent-object-first", SENTENCE, [4, 6], [3, 4], []),
    ("the-same-words", SENTENCE, [4, 6], [4, 6], CONTEXTS[1:2]),
    ("same-start", SENTENCE, [4, 5], [4, 6], []),
    ("same-end", SENTENCE, [5, 6], [4, 6], []),
    ("object-inside-subject", SENTENCE, [3, 8], [4, 6], []),
    ("subject-inside-object", SENTENCE, [4, 6], [3, 8], []),
    ("overlapping", SENTENCE, [2, 5], [4, 8], []),
    ("whole-sentence-and-last-word", SENTENCE, [0, 11], [10, 11], []),
    ("two-words", ["Kolo", "Oslo"], [0, 1], [1, 2], CONTEXTS),
    ("cut-after-both-openings", ["Kolo", "Oslo", LONG_WORD, LONG_WORD], [0, 1], [1, 4], []),
    ("object-falls-off", ["Kolo", LONG_WORD, LONG_WORD, "Oslo"], [0, 1], [3, 4], CONTEXTS[:1]),
    ("subject-falls-off", ["Oslo", LONG_WORD, LONG_WORD, "Kolo"], [3, 4], [0, 1], []),
    ("emoji-and-cjk", ["👩\u200d👧", "去", "东京", "\u200b"], [0, 1], [2, 4], CONTEXTS[2:3]),
]

# (id, words, {expert or kind: contexts}, picture); a missing key means that the expert has nothing to read.
FUSED = [
    ("both", "Kolo loves the sun in London".split(), {"text": CONTEXTS[:1], "image": CONTEXTS[1:3]}, "wide.png"),
    ("tall-jpeg", "the harbour museum in Oslo".split(), {"text": [], "image": CONTEXTS[3:]}, "tall.jpg"),
    ("grey-and-enlarged", ["Maria", "Estrada", "!"], {"text": CONTEXTS[2:], "image": []}, "small-grey.png"),
    ("no-image-for-the-gate", "Ana Petrova sings".split(), {"text": CONTEXTS[:1], "image": CONTEXTS[:1]}, None),
    ("only-text", "Alan Turing and Ada Lovelace".split(), {"text": CONTEXTS[:2]}, "wide.png"),
    ("only-image", "Alan Turing and Ada Lovelace".split(), {"image": CONTEXTS[:2]}, "tall.jpg"),
    ("long-for-clip", [f"sun{n}" for n in range(12)], {"text": [], "image": CONTEXTS[:1]}, "wide.png"),
]
FUSED_RE = [
    ("both", SENTENCE, [0, 2], [4, 6], {"text": CONTEXTS[:1], "image": CONTEXTS[1:2]}, "wide.png"),
    ("tall-jpeg", SENTENCE, [7, 8], [4, 6], {"text": CONTEXTS[1:], "image": []}, "tall.jpg"),
    ("no-image-for-the-gate", SENTENCE, [0, 2], [7, 8], {"text": [], "image": CONTEXTS[:1]}, None),
    ("only-image", SENTENCE, [4, 6], [7, 8], {"image": CONTEXTS[:2]}, "small-grey.png"),
]

# Running text: words on Unicode boundaries, entities with character and byte offsets.
TEXTS = [
    "Kolo loves the sun, and the sun loves Kolo back.",
    "Zoë & Noël met at 10:30 in São Tomé — it's 3.14 km from U.S.A.!",
    "太阳 über 東京タワー 👩\u200d👩\u200d👧 🇳🇴🇸🇪 ok",
    "  \tleading\u3000and  double  spaces\n",
]

CLIP_TEXTS = [
    "a photo of a cat",
    "Kolo LOVES the sun, isn't it? 10:30",
    "",
    "☀️ 東京 e\u0301 naïve   spaces",
    "the lighthouse at the cape " * 20,
    "before <|endoftext|> after",
]
