"""Entities from a label sequence as conlleval reads it, and its precision, recall and F1.

The rules are those of `conlleval.pl` with its E- (and S-, treated as a chunk of its own) prefixes: a chunk
ends before B, S or O, after E or S, and where the type changes; whatever follows a chunk's end begins one.
"""


def split(label):
    return ("O", "") if label == "O" or "-" not in label else tuple(label.split("-", 1))


def ends(previous, previous_type, tag, type_):
    if previous in ("E", "S"):
        return True
    return previous in ("B", "I") and (tag in ("B", "S", "O") or previous_type != type_)


def starts(previous, previous_type, tag, type_):
    if tag == "O":
        return False
    return tag in ("B", "S") or previous in ("E", "S", "O") or previous_type != type_


def entities(labels):
    """(type, start, end) of every entity, end exclusive."""
    found, begin = [], 0
    previous, previous_type = "O", ""
    for i, label in enumerate([*labels, "O"]):
        tag, type_ = split(label)
        if ends(previous, previous_type, tag, type_):
            found.append((previous_type, begin, i))
        if starts(previous, previous_type, tag, type_):
            begin = i
        previous, previous_type = tag, type_
    return found


def measures(correct, predicted, gold):
    precision = 100 * correct / predicted if predicted else 0.0
    recall = 100 * correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def entity_scores(gold, predicted):
    """Micro-averaged over sentences, and by type under `labels`, in percent."""
    by_type = {}
    for want, got in zip(gold, predicted, strict=True):
        want, got = set(entities(want)), set(entities(got))
        for kind, position in ((want, 2), (got, 1), (want & got, 0)):
            for type_, _, _ in kind:
                by_type.setdefault(type_, [0, 0, 0])[position] += 1
    total = [sum(counts[i] for counts in by_type.values()) for i in range(3)]
    return {**measures(*total), "labels": {type_: measures(*counts) for type_, counts in sorted(by_type.items())}}


def relation_scores(gold, predicted):
    """Micro-averaged over the relations, the no-relation label (in any case) counting for neither side."""
    none = {"none", "no_relation"}
    pairs = list(zip(gold, predicted, strict=True))
    correct = sum(g == p and g.lower() not in none for g, p in pairs)
    return measures(
        correct, sum(p.lower() not in none for _, p in pairs), sum(g.lower() not in none for g, _ in pairs)
    )
