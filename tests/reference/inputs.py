"""Input ids as the design defines them, written again from its text and not from the runtime's code.

    <s>  sub-tokens of x  [separator  sub-tokens of t_1 … t_k]  </s>

A word without sub-tokens is `<unk>`. x ends before the first word that does not wholly fit into the first
L - 1 ids; the contexts are cut so that with the last `</s>` there are at most L ids.
"""

from dataclasses import dataclass, field

from vocabularies import ids as sub_tokens

BOS, EOS, UNK = 0, 2, 3
MARKERS = ("<S>", "</S>", "<O>", "</O>")


@dataclass
class Input:
    ids: list[int]
    """Where each word's sub-tokens lie; only the words that fit."""
    words: list[range]
    """Where the opening markers' sub-tokens lie; None where one does not fit."""
    markers: tuple[range, range] | None = None
    truncated: bool = False


@dataclass
class Options:
    """What `morelet-convert model` lets an expert say about its input."""

    limit: int
    pooling: str = "first"
    separator: list[int] = field(default_factory=lambda: [EOS])


def with_markers(words, subject, object_):
    """The words and markers in order, each with what it is: ("word", text) or (marker, marker)."""
    units = []
    for n in range(len(words) + 1):
        for marker, (_, end) in (("</S>", subject), ("</O>", object_)):
            if n == end:
                units.append((marker, marker))
        for marker, (start, _) in (("<S>", subject), ("<O>", object_)):
            if n == start:
                units.append((marker, marker))
        if n < len(words):
            units.append(("word", words[n]))
    return units


def build(tokenizer, words, contexts, options: Options, subject=None, object_=None) -> Input:
    units = with_markers(words, subject, object_) if subject else [("word", word) for word in words]
    ids, places, opening, truncated = [BOS], [], {}, False
    for kind, text in units:
        parts = sub_tokens(tokenizer, text) or [UNK]
        if len(ids) + len(parts) > options.limit - 1:
            truncated = True
            break
        place = range(len(ids), len(ids) + len(parts))
        ids += parts
        if kind == "word":
            places.append(place)
        elif kind in ("<S>", "<O>"):
            opening[kind] = place
    if contexts:
        tail = list(options.separator)
        for text in contexts:
            tail += sub_tokens(tokenizer, text)
        ids += tail[: options.limit - 1 - len(ids)]
    ids.append(EOS)
    markers = (opening["<S>"], opening["<O>"]) if len(opening) == 2 else None
    return Input(ids, places, markers, truncated)
