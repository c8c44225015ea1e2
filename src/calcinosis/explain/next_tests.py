"""Which unknown finding would move the ranking most: expected information, cheapest first."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.differential import Differential, Posterior
from calcinosis.explain.knowledge import SETTINGS
from calcinosis.explain.tables import Tables, load_tables

Floats = NDArray[np.floating]
_WORDS = ("low", "normal", "high")
_OUTCOMES = 4
KIDNEY = "kidney_function"
# What is not worth asking: less than this, in bits, or than this share of the best question.
_LEAST_BITS, _LEAST_SHARE = 0.02, 0.15


@dataclass(frozen=True)
class Outcome:
    """What one answer would do: how likely it is, and which diagnosis would then lead."""

    outcome: str
    probability: float
    leads: str
    leads_with: float


@dataclass(frozen=True)
class NextTest:
    """One open question: what it is expected to tell, in bits, and at what cost.

    `cost` is 1 for a question, an examination or a blood test, 2 for a radiograph or ultrasound,
    3 for CT, 4 for MRI or a bone scan.
    """

    finding: str
    label: str
    modality: str
    cost: int
    expected_information_bits: float
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, eq=False)
class _Questions:
    """Likelihood of every answer to every question [setting, question, outcome, diagnosis]."""

    codes: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    likelihood: Floats


def next_tests(differential: Differential, limit: int = 5) -> tuple[NextTest, ...]:
    """The open questions that would change the ranking most, cheapest first.

    The expected information of a question is how far it is expected to lower the entropy of the
    diagnosis (Lindley, Ann Math Stat 1956, doi:10.1214/aoms/1177728069).
    """
    belief = differential.belief
    questions = _load_questions() if belief.tables is load_tables() else _questions(belief.tables)
    joint = _by_form(belief).astype(np.float32)
    by_answer = (questions.likelihood * joint[:, None, None, :]).sum(axis=0)
    chance = by_answer.sum(axis=2)
    entropy = -_plogp(joint.sum(axis=0)).sum()
    bits = entropy + _plogp(by_answer).sum(axis=(1, 2)) - _plogp(chance).sum(axis=1)
    known = belief.known
    open_ = np.array([code not in known for code in questions.codes])
    bits = np.where(open_, bits, 0.0)
    worth = max(_LEAST_BITS, _LEAST_SHARE * float(bits.max()))
    best = [q for q in np.argsort(-bits)[:limit].tolist() if bits[q] >= worth]
    share = by_answer[best] / np.maximum(chance[best], 1e-12)[:, :, None]
    leads, certainty = share.argmax(axis=2).tolist(), share.max(axis=2).round(3).tolist()
    answers = zip(best, chance[best].round(3).tolist(), leads, certainty, strict=True)
    tests = [_test(questions, q, float(bits[q]), told, belief.tables) for q, *told in answers]
    return tuple(sorted(tests, key=lambda t: (t.cost, -t.expected_information_bits)))


def _plogp(values: Floats) -> Floats:
    products: Floats = values * np.log2(np.maximum(values, 1e-12))
    return products


def _test(
    questions: _Questions, question: int, bits: float, told: list[list[Any]], tables: Tables
) -> NextTest:
    """One question; `told` holds the chance of each answer, who then leads, and how surely."""
    code = questions.codes[question]
    return NextTest(
        code,
        tables.labels.get(code, code),
        tables.modalities.get(code, "history"),
        tables.costs.get(code, 1),
        round(bits, 3),
        tuple(
            Outcome(answer, chance, tables.names[leads], certainty)
            for answer, chance, leads, certainty in zip(
                questions.answers[question], *told, strict=False
            )
        ),
    )


def _by_form(belief: Posterior) -> Floats:
    """Belief [setting, diagnosis] with primary tumoral calcinosis told apart by form.

    Where phosphate is not known the form has no name yet, but what matters is the disease.
    """
    tables, joint = belief.tables, np.exp(belief.joint)
    if "phosphate" in belief.known:
        return joint
    stated, not_stated = (
        np.exp(tables.loglik[tables.rows[f"phosphate_stated:{state}"]])
        for state in ("present", "absent")
    )
    renamed = joint * stated / not_stated
    by_form: Floats = renamed / renamed.sum()
    return by_form


@cache
def _load_questions() -> _Questions:
    return _questions(load_tables())


def _questions(tables: Tables) -> _Questions:
    codes: list[str] = [KIDNEY]
    answers: list[tuple[str, ...]] = [tuple(SETTINGS)]
    size = len(tables.names)
    settings = np.broadcast_to(np.eye(len(SETTINGS))[:, :, None], (_OUTCOMES, len(SETTINGS), size))
    likelihood = [settings]
    for code in tables.costs:
        states: tuple[str, ...] = ("present", "absent")
        if f"{code}:present" in tables.rows:
            rows = [f"{code}:{state}" for state in states]
        elif f"{code}_high:present" in tables.rows:
            states, rows = _WORDS, [f"{code}_{word}:present" for word in _WORDS]
        else:
            continue
        told = np.exp(tables.loglik[[tables.rows[row] for row in rows]])
        padded = np.zeros((_OUTCOMES, len(SETTINGS), size))
        padded[: len(rows)] = told / told.sum(axis=0)
        codes.append(code)
        answers.append(states)
        likelihood.append(padded)
    by_setting = np.array(likelihood, np.float32).transpose(2, 0, 1, 3).copy()
    return _Questions(tuple(codes), tuple(answers), by_setting)
