"""A linear-chain CRF with the scores of `pytorch-crf`: start, transitions [from, to], end.

    score(y) = start[y_1] + sum e_i[y_i] + sum transitions[y_i, y_i+1] + end[y_n]

Everything in float64. `check` compares both algorithms with the sum over all paths.
"""

import itertools

import numpy as np


def logsumexp(x, axis):
    top = x.max(axis=axis, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))).squeeze(axis)


class Crf:
    def __init__(self, start, transitions, end):
        self.start, self.transitions, self.end = (np.asarray(x, dtype=np.float64) for x in (start, transitions, end))

    def marginals(self, emissions):
        """P(y_i = y | x) for every word and label, [n, t], by forward-backward in log space."""
        e = np.asarray(emissions, dtype=np.float64)
        n = len(e)
        if n == 0:
            return e
        forward, backward = np.zeros_like(e), np.zeros_like(e)
        forward[0] = self.start + e[0]
        for i in range(1, n):
            forward[i] = e[i] + logsumexp(forward[i - 1][:, None] + self.transitions, axis=0)
        backward[n - 1] = self.end
        for i in range(n - 2, -1, -1):
            backward[i] = logsumexp(self.transitions + (e[i + 1] + backward[i + 1])[None, :], axis=1)
        total = forward + backward
        return np.exp(total - logsumexp(total, axis=1)[:, None])

    def viterbi(self, emissions):
        """The path with the highest score."""
        e = np.asarray(emissions, dtype=np.float64)
        if len(e) == 0:
            return []
        best, back = self.start + e[0], []
        for row in e[1:]:
            scores = best[:, None] + self.transitions
            back.append(scores.argmax(axis=0))
            best = scores.max(axis=0) + row
        path = [int((best + self.end).argmax())]
        for step in reversed(back):
            path.append(int(step[path[-1]]))
        return path[::-1]

    def score(self, emissions, path):
        total = self.start[path[0]] + self.end[path[-1]]
        total += sum(emissions[i][y] for i, y in enumerate(path))
        return total + sum(self.transitions[a, b] for a, b in zip(path, path[1:]))


def check():
    """Both algorithms against the sum over every path of four words and three labels."""
    random = np.random.default_rng(7)
    crf = Crf(random.normal(size=3), random.normal(size=(3, 3)), random.normal(size=3))
    emissions = random.normal(size=(4, 3)) * 2
    paths = list(itertools.product(range(3), repeat=4))
    scores = np.array([crf.score(emissions, path) for path in paths])
    weights = np.exp(scores - logsumexp(scores, axis=0))
    expected = np.zeros((4, 3))
    for path, weight in zip(paths, weights):
        for i, y in enumerate(path):
            expected[i, y] += weight
    assert np.abs(crf.marginals(emissions) - expected).max() < 1e-12
    assert crf.viterbi(emissions) == list(paths[scores.argmax()])
