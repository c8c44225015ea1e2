"""Which unknown finding would move the ranking most: expected information, cheapest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.analyte import is_judged_at
from calcinosis.explain.belief import Belief, with_doubt
from calcinosis.explain.differential import Differential
from calcinosis.explain.knowledge import SETTINGS
from calcinosis.explain.tables import Tables, load_tables

Floats = NDArray[np.floating]
_SIGN, _LAB = ("present", "absent"), ("low", "normal", "high")
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
    """Every question with its answers, one after the other.

    Attributes:
        codes: the findings asked for.
        answers: to each question.
        starts: place of the first answer to each question.
        likelihood: of every answer [setting, answer, diagnosis].
    """

    codes: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    starts: tuple[int, ...]
    likelihood: Floats


def next_tests(differential: Differential, limit: int = 5) -> tuple[NextTest, ...]:
    """The open questions that would change the ranking most, cheapest first.

    The expected information of a question is how far it is expected to lower the entropy of the
    diagnosis (Lindley, Ann Math Stat 1956, doi:10.1214/aoms/1177728069).
    """
    return next_tests_of([differential], limit)[0]


def next_tests_of(
    differentials: Sequence[Differential], limit: int = 5
) -> list[tuple[NextTest, ...]]:
    """`next_tests` of several cases weighed by the same tables."""
    tables = differentials[0].belief.tables
    questions = _load_questions() if tables is load_tables() else _questions(tables)
    joint = np.exp([one.belief.joint for one in differentials])
    unnamed = ["phosphate" not in one.belief.known for one in differentials]
    joint[unnamed] = _by_form(joint[unnamed], tables)
    joint = joint.astype(np.float32)
    by_answer = np.einsum("csd,sad->cad", joint, questions.likelihood)
    chance = by_answer.sum(axis=2)
    gained = _plogp(by_answer).sum(axis=2) - _plogp(chance)
    entropy = _plogp(joint.sum(axis=1)).sum(axis=1, keepdims=True)
    bits = np.add.reduceat(gained, questions.starts, axis=1) - entropy
    shares = with_doubt(by_answer / np.maximum(chance, 1e-12)[:, :, None])
    answers = [part.tolist() for part in (chance, shares.argmax(axis=2), shares.max(axis=2))]
    found = []
    for one, gain, *told in zip(differentials, bits.tolist(), *answers, strict=True):
        best = _best(questions, gain, _closed(one.belief), limit)
        tests = [_test(questions, q, gain[q], tables, *told) for q in best]
        tests.sort(key=lambda test: (test.cost, -test.expected_information_bits))
        found.append(tuple(tests))
    return found


def _closed(belief: Belief) -> frozenset[str]:
    """Codes not to be asked for: known already, or not to be judged at this age or on dialysis."""
    told = {clue.finding.code: clue.finding for clue in belief.clues}
    age = told["age"].value if "age" in told else None
    closed = belief.known | {code for code in belief.tables.costs if not is_judged_at(code, age)}
    dialysed = "dialysis" in told and told["dialysis"].state == "present"
    return closed | {"creatinine"} if dialysed else closed


def _best(
    questions: _Questions, bits: Sequence[float], closed: frozenset[str], limit: int
) -> list[int]:
    """The open questions worth asking, the most telling first."""
    open_ = [q for q, code in enumerate(questions.codes) if code not in closed]
    open_.sort(key=bits.__getitem__, reverse=True)
    worth = max(_LEAST_BITS, _LEAST_SHARE * bits[open_[0]]) if open_ else 0.0
    return [q for q in open_[:limit] if bits[q] >= worth]


def _plogp(values: Floats) -> Floats:
    products: Floats = values * np.log2(np.maximum(values, 1e-12))
    return products


def _test(
    questions: _Questions, question: int, bits: float, tables: Tables, *told: list[Any]
) -> NextTest:
    """One question; `told` holds the chance of each answer, who then leads, and how surely."""
    code, answers = questions.codes[question], questions.answers[question]
    first = questions.starts[question]
    outcomes = zip(answers, *(part[first : first + len(answers)] for part in told), strict=True)
    return NextTest(
        code,
        "Kidney function" if code == KIDNEY else tables.labels.get(code, code),
        tables.modalities.get(code, "history"),
        tables.costs.get(code, 1),
        round(bits, 3),
        tuple(
            [
                Outcome(answer, round(share, 3), tables.names[lead], round(sure, 3))
                for answer, share, lead, sure in outcomes
            ]
        ),
    )


def _by_form(joint: Floats, tables: Tables) -> Floats:
    """Belief [case, setting, diagnosis] with primary tumoral calcinosis told apart by form.

    Where phosphate is not known the form has no name yet, but what matters is the disease.
    """
    stated, not_stated = (
        tables.loglik[:, tables.rows[f"phosphate_stated:{state}"]]
        for state in ("present", "absent")
    )
    renamed = joint * np.exp(stated - not_stated)
    by_form: Floats = renamed / renamed.sum(axis=(1, 2), keepdims=True)
    return by_form


@cache
def _load_questions() -> _Questions:
    return _questions(load_tables())


def _questions(tables: Tables) -> _Questions:
    asked: dict[str, tuple[str, ...]] = {KIDNEY: SETTINGS}
    size = len(tables.names)
    likelihood = [np.broadcast_to(np.eye(len(SETTINGS))[:, :, None], (4, len(SETTINGS), size))]
    for code in tables.costs:
        for answers, rows in (
            (_SIGN, [f"{code}:{answer}" for answer in _SIGN]),
            (_LAB, [f"{code}_{word}:present" for word in _LAB]),
        ):
            if all(row in tables.rows for row in rows):
                told = np.exp(tables.loglik[:, [tables.rows[row] for row in rows]])
                asked[code] = answers
                likelihood.append(told / told.sum(axis=1, keepdims=True))
    starts = tuple(accumulate(map(len, asked.values()), initial=0))[:-1]
    together = np.concatenate(likelihood, axis=1).astype(np.float32)
    return _Questions(tuple(asked), tuple(asked.values()), starts, together)
