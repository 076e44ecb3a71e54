"""Judges a student's graph and its trial: pure functions of what was found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from components.serving_validator.graph import ModelGraph, Signature, Tensors
from components.serving_validator.latency import percentile_ratio
from components.serving_validator.requirements import Requirements
from components.serving_validator.trial import Trial
from components.serving_validator.worker import WAYS, Counted
from contracts.decision import Check, Verdict
from contracts.heads import DISTILLATION_PREFIX, LAYER_PREFIX
from contracts.roles import PHRASES, ModelRole
from contracts.serving_report import Latency, ServingBudget
from evaluation.gains import FUNCTIONS
from records.sessions import SIGNATURE, TENSORS_SIGNATURE
from schema.score import SCORE, Score
from schema.surface import SOFT_LABEL_PREFIX

TOLERANCE = 1e-5
# A formula of float32 against the same of float64, relative.
_SCORE_TOLERANCE = 1e-4
_DISTILLATION_HEAD = re.compile(DISTILLATION_PREFIX + r"(\w+)")
_SOFT_LABEL = re.compile(re.escape(SOFT_LABEL_PREFIX))
# What TensorFlow puts other characters in place of, in the names of nodes.
_REPLACED = re.compile(r"[^a-z0-9]")
_KERNEL = re.compile(r"float32 \[\d+, (\d+)\]")


def graph_checks(student: ModelGraph, control: ModelGraph, requirements: Requirements) -> Iterator[Check]:
    """What can be seen without loading: signature, leftovers of training, variables."""
    yield _check("signature", *_signature_problems(student, control, requirements), passed=_signature_text(student))
    leftovers = sorted(_leftovers(student, requirements))
    yield _check(
        "no leftovers of training",
        *(f"The student's export still holds {each}." for each in leftovers[:5]),
        passed=_leftovers_text(requirements),
    )
    more = student.shapes - control.shapes
    if _are_of_stacked_heads(more, [requirements.wide_stacked.get(name, (1, 1)) for name in requirements.stacked]):
        more = Counter()
    fewer = control.shapes - student.shapes
    differing = [f"{count} more of {shape}" for shape, count in sorted(more.items())]
    differing += [f"{count} fewer of {shape}" for shape, count in sorted(fewer.items())]
    yield _check(
        "same variables",
        *([f"The student serves other variables than the control: {', '.join(differing[:5])}."] if differing else []),
        passed=_variables_text(student, requirements),
    )


def _leftovers_text(requirements: Requirements) -> str:
    if not requirements.stacked:
        return "The graph holds no distillation head, label or teacher input."
    heads = ", ".join(requirements.stacked)
    return f"The graph holds no label or teacher input, and no distillation head but those that are stacked ({heads})."


def _variables_text(student: ModelGraph, requirements: Requirements) -> str:
    count = sum(student.shapes.values())
    if not requirements.stacked:
        return f"The student serves as many variables of each shape as the control, {count}."
    return f"The student serves the control's variables and those of its stacked heads, {count}."


def _are_of_stacked_heads(more: Counter[str], sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether variables beyond the control's are those of the stacked heads, and no others.

    Each has a kernel and a bias of as many columns as it says numbers, and the serving head's weights
    for these; a SavedModel may hold every variable more than once.

    Args:
      more: The variables, by shape.
      sizes: For each stacked head, how many numbers it says and how many its task's serving head.
    """
    times, rest = divmod(more.total(), 3 * len(sizes)) if sizes else (0, 0)
    if not times or rest:
        return False
    others = Counter(more)
    for said, served in sizes:
        others.subtract({f"float32 [{said}]": times, f"float32 [{said}, {served}]": times})
    kernels = Counter({said: times * count for said, count in Counter(said for said, _ in sizes).items()})
    found: Counter[int] = Counter()
    for shape, count in others.items():
        kernel = _KERNEL.fullmatch(shape)
        if count and kernel is None:
            return False
        if kernel is not None:
            found[int(kernel[1])] += count
    return min(others.values()) >= 0 and +found == kernels


def _signature_problems(student: ModelGraph, control: ModelGraph, requirements: Requirements) -> Iterator[str]:
    found, expected = student.signatures, control.signatures
    if sorted(found) != sorted(expected):
        yield f"The student has the signatures {sorted(found)}, the control {sorted(expected)}."
    for name in sorted(set(found) & set(expected)):
        yield from _differences(name, "inputs", found[name].inputs, expected[name].inputs)
        yield from _differences(name, "outputs", found[name].outputs, expected[name].outputs)
    served = found.get(SIGNATURE, Signature({}, {}))
    if set(served.outputs) != set(requirements.tasks):
        yield f"Expected the outputs {sorted(requirements.tasks)}, found {sorted(served.outputs)}."
    tensors = set(found.get(TENSORS_SIGNATURE, Signature({}, {})).inputs)
    if TENSORS_SIGNATURE in found and tensors != set(requirements.features):
        expected_tensors = sorted(requirements.features)
        yield f"Expected the signature {TENSORS_SIGNATURE} to take {expected_tensors}, found {sorted(tensors)}."
    if list(served.inputs.values()) != [("string", (None,))]:
        yield f"Expected one input of serialized tf.Examples, string [batch], found {served.inputs}."


def _differences(signature: str, what: str, found: Tensors, expected: Tensors) -> Iterator[str]:
    for name in sorted(set(found) | set(expected)):
        if found.get(name) != expected.get(name):
            theirs = " and ".join(f"the {who} {_shown(each.get(name))}" for who, each in _named(found, expected))
            yield f"Signature {signature}, {what}, {name}: {theirs}."


def _named(found: Tensors, expected: Tensors) -> list[tuple[str, Tensors]]:
    return [("student has", found), ("control has", expected)]


def _shown(tensor: tuple[str, tuple[int | None, ...] | None] | None) -> str:
    return "none" if tensor is None else f"{tensor[0]} {list(tensor[1]) if tensor[1] is not None else 'of any shape'}"


def _signature_text(student: ModelGraph) -> str:
    outputs = student.signatures[SIGNATURE].outputs if SIGNATURE in student.signatures else {}
    return f"The signature is the control's: serialized examples to {', '.join(sorted(outputs))}."


def _leftovers(student: ModelGraph, requirements: Requirements) -> Iterator[str]:
    """Names and columns that have no place in a served model."""
    for name in student.names:
        if any(
            not _is_stacked(found[1], requirements) for found in _unexplained(_DISTILLATION_HEAD, name, requirements)
        ):
            yield f"a distillation head ({name})"
        elif any(_unexplained(_SOFT_LABEL, name, requirements)):
            yield f"a soft label ({name})"
    inputs = {name for signature in student.signatures.values() for name in signature.inputs}
    for column in set(student.columns) | (inputs & set(requirements.labels)):
        if column in requirements.labels or column.startswith(SOFT_LABEL_PREFIX):
            yield f"the input {column}, a label that does not exist when serving"
        elif column not in requirements.features:
            yield f"the input {column}, which is no feature of the surface"


def _unexplained(pattern: re.Pattern[str], name: str, requirements: Requirements) -> Iterator[re.Match[str]]:
    """Where a name bears a mark of training that is no part of the name of a feature or a task."""
    lower = name.lower()
    plain = _REPLACED.sub("_", lower)
    known = [_REPLACED.sub("_", each.lower()) for each in (*requirements.features, *requirements.tasks)]
    explained = [range(each.start(), each.end()) for text in known for each in re.finditer(re.escape(text), plain)]
    for found in pattern.finditer(lower):
        ours = lower.endswith(LAYER_PREFIX, 0, found.start())
        if ours or not any(found.start() in span for span in explained):
            yield found


def _is_stacked(name: str, requirements: Requirements) -> bool:
    """Whether a name that begins with a head's, and goes on as TensorFlow likes, is that of a stacked one."""
    heads = [head for head in requirements.distilled if name.startswith(head.lower())]
    return bool(heads) and max(heads, key=len) in requirements.stacked


def trial_checks(trial: Trial, requirements: Requirements) -> Iterator[Check]:
    """What came of serving: as many checks as the process came to."""
    if trial.failure:
        sentence = f"Serving the student failed while {trial.stage}: {trial.failure}."
        yield Check(name="serving", verdict=Verdict.FAIL, sentence=sentence)
    if trial.loaded:
        yield _check("loading", passed="The student loads into a session, in a fresh process.")
    if trial.predictions:
        yield from _answer_checks(trial.predictions, requirements)
    if trial.rows is not None:
        yield _rows_check(trial.rows)
    if trial.answers is not None:
        yield _malformed_check(trial)
    for row in latencies(trial, requirements):
        yield _latency_check(row)
    for name, refusal in (trial.others.refusals if trial.others else {}).items():
        who = PHRASES[ModelRole(name)]
        yield _check(
            f"latency against {who}", passed=f"Not compared: {who} answers none of these requests ({refusal})."
        )


def _answer_checks(predictions: dict[str, np.ndarray], requirements: Requirements) -> Iterator[Check]:
    yield _prediction_check(predictions, requirements)
    if requirements.score is not None and f"session/{SCORE}" in predictions:
        yield _score_check(predictions, requirements.score)


def _prediction_check(predictions: dict[str, np.ndarray], requirements: Requirements) -> Check:
    tasks = [task for task in requirements.tasks if f"session/{task}" in predictions]
    problems, worst = [], 0.0
    for task in tasks:
        served = predictions[f"session/{task}"]
        if not np.all(np.isfinite(served)):
            problems.append(f"{task}: {np.sum(~np.isfinite(served))} of {served.size} predictions are not finite.")
            continue
        for way, text in WAYS.items():
            difference = _difference(served, predictions[f"{way}/{task}"])
            worst = max(worst, difference)
            if not difference <= TOLERANCE:
                problems.append(f"{task}: a server's predictions differ from those of {text} by {difference:.2g}.")
    return _check(
        "predictions",
        *problems,
        passed=f"A server's predictions are the evaluation's, in any order and company, to {worst:.1g} "
        f"({TOLERANCE:g} is allowed).",
    )


def _score_check(predictions: dict[str, np.ndarray], score: Score) -> Check:
    """The score must follow from what is served beside it, as surface.yaml says."""
    tasks = [name for name in score.expression().names if name not in score.constants]
    served = {name: predictions[f"session/{name}"].astype(np.float64) for name in tasks}
    with np.errstate(all="ignore"):
        expected = np.asarray(score.expression().value({**served, **score.constants}, FUNCTIONS))
    difference = _difference(predictions[f"session/{SCORE}"].astype(np.float64), expected)
    problems = []
    if not difference <= _SCORE_TOLERANCE:
        problems.append(
            f"The score that is served differs from {score.formula!r} of the predictions by {difference:.2g}."
        )
    return _check("score", *problems, passed=f"The score is {score.formula!r} of the predictions served beside it.")


def _rows_check(rows: dict[str, Counted]) -> Check:
    """Every row of the evaluation split, labelled or not, must be answered by a number, and a probability by one."""
    problems = []
    for task, counted in rows.items():
        if counted.infinite:
            problems.append(f"{task}: {counted.infinite:,} of {counted.rows:,} predictions are not finite.")
        if counted.outside:
            problems.append(
                f"{task}: {counted.outside:,} of {counted.rows:,} predictions are no probabilities, which lie in "
                f"[0, 1]: they go from {counted.least:.4g} to {counted.most:.4g}."
            )
        if counted.unsummed:
            problems.append(
                f"{task}: the answers to {counted.unsummed:,} rows are not a probability for each class that sum to 1."
            )
    most = max((counted.rows for counted in rows.values()), default=0)
    return _check(
        "all rows",
        *problems,
        passed=f"All {most:,} rows of the evaluation split are answered with finite numbers, and tasks of kind binary "
        "and multiclass with probabilities.",
    )


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference, relative where values are over 1: a float32 of 1000 cannot be exact to 1e-5."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(other)), initial=0.0))


def _malformed_check(trial: Trial) -> Check:
    answers = trial.answers or ()
    problems = [f"{each.description} was answered instead of refused." for each in answers if each.error is None]
    problems += [
        f"After {each.description} the next request was answered otherwise than before."
        for each in answers
        if not each.recovered
    ]
    return _check(
        "malformed requests",
        *(problem[0].upper() + problem[1:] for problem in problems),
        passed=f"{len(answers)} malformed requests were refused with an error, and the next one answered as before.",
    )


def latency_limits(requirements: Requirements) -> dict[str, float]:
    """The most that the ratio of the student's p99 to another model's may be, by that model."""
    return {
        ModelRole.CONTROL: requirements.serving.max_p99_ratio_vs_control,
        ModelRole.LAST_BLESSED: requirements.serving.max_p99_ratio_vs_last_blessed,
    }


def latencies(trial: Trial, requirements: Requirements) -> Iterator[Latency]:
    """The student's latency beside each other model's, by batch size."""
    seconds = trial.seconds or {}
    for other, limit in latency_limits(requirements).items():
        for size in requirements.serving.batch_sizes:
            if f"{other}/{size}" in seconds:
                yield _latency(other, size, seconds[f"{ModelRole.STUDENT}/{size}"], seconds[f"{other}/{size}"], limit)


def _latency(against: str, size: int, student: np.ndarray, other: np.ndarray, limit: float) -> Latency:
    return Latency(
        against=ModelRole(against),
        batch_size=size,
        calls=student.size,
        student_p50_ms=float(np.percentile(student, 50) * 1e3),
        student_p99_ms=float(np.percentile(student, 99) * 1e3),
        other_p50_ms=float(np.percentile(other, 50) * 1e3),
        other_p99_ms=float(np.percentile(other, 99) * 1e3),
        p50_ratio=percentile_ratio(student, other, 50),
        p99_ratio=percentile_ratio(student, other, 99),
        limit=limit,
    )


def _latency_check(row: Latency) -> Check:
    text = (
        f"Latency, batches of {row.batch_size}: the student's p99 is {row.p99_ratio:.2f} times "
        f"{PHRASES[row.against]}'s, {row.limit:g} is allowed."
    )
    verdict = Verdict.PASS if row.p99_ratio <= row.limit else Verdict.FAIL
    return Check(name=f"latency against {PHRASES[row.against]}", verdict=verdict, sentence=text)


def budgets(student: ModelGraph, trial: Trial, requirements: Requirements) -> Iterator[ServingBudget]:
    """What the surface asks of the student alone, and what was found; a p99 that nobody measured is not among them."""
    serving, seconds = requirements.serving, trial.seconds or {}
    if serving.max_size_mb is not None:
        yield ServingBudget(what="size", unit="MB", found=student.megabytes, most=serving.max_size_mb)
    for size, most in serving.p99_budgets.items():
        if (found := seconds.get(f"{ModelRole.STUDENT}/{size}")) is not None:
            # The median over rounds, as for the ratios: one interruption decides a p99 of a hundred calls.
            p99 = float(np.median(np.percentile(found, 99, axis=1)) * 1e3)
            yield ServingBudget(what=f"p99, batches of {size}", unit="ms", found=p99, most=most)


def budget_check(budget: ServingBudget) -> Check:
    """Whether a budget is kept."""
    text = (
        f"{budget.what}: the student's is {budget.found:.3g} {budget.unit}, {budget.most:g} {budget.unit} is allowed."
    )
    verdict = Verdict.PASS if budget.found <= budget.most else Verdict.FAIL
    return Check(name=f"budget of {budget.what}", verdict=verdict, sentence=text[0].upper() + text[1:])


def _check(name: str, *problems: str, passed: str) -> Check:
    if problems:
        return Check(name=name, verdict=Verdict.FAIL, sentence=" ".join(problems))
    return Check(name=name, verdict=Verdict.PASS, sentence=passed)


def sentence(checks: list[Check]) -> str:
    """All checks in one sentence: the first that failed, or that none did."""
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    if not failed:
        return f"The student can be served: {len(checks)} checks passed."
    more = f" {len(failed) - 1} more failed." if len(failed) > 1 else ""
    return f"The student failed the serving validation: {failed[0].sentence}{more}"
