"""Surfaces that somebody gets wrong: keys, values, names and schemas, and what is said of them."""

from __future__ import annotations

from tests.crosskd.wrong_inputs import Product, WrongInput
from tests.e2e import library


def _surface(name: str, old: str, new: str, said: str) -> WrongInput:
    return WrongInput(name, said, lambda product: product.change("surface.yaml", old, new))


def _schema(name: str, old: str, new: str, said: str) -> WrongInput:
    return WrongInput(name, said, lambda product: product.change("schema.pbtxt", old, new))


def _text(name: str, text: str, said: str) -> WrongInput:
    return WrongInput(name, said, lambda product: (product.surface / "surface.yaml").write_text(text) and None)


def _as_source(product: Product) -> None:
    product.change("surface.yaml", "    distil: {from: loan}\n", "")
    product.change("surface.yaml", _TEACHER, "")


_GATES_OF_LIKED = "    gates:\n      - {metric: auc, at_least: 0.4}\n"
_TEACHER = library.SURFACE[library.SURFACE.index("teacher:\n") : library.SURFACE.index("slices:\n")]
SURFACES = (
    _surface("a misspelt key", "model: {trunk:", "model: {trunks:", "model.trunks: unknown key; did you mean 'trunk'?"),
    _surface(
        "a key of another section",
        "    label: was_liked\n",
        "    label: was_liked\n    patience: 3\n",
        "tasks.liked.patience: unknown key; `patience` belongs under `training.early_stopping`",
    ),
    _surface("no name", "name: library\n", "", "name: this key is required and absent"),
    _surface(
        "a name with a space",
        "name: library",
        "name: my library",
        "name: expected a name of letters, digits and _ that begins with a letter, found 'my library'",
    ),
    _surface("a key twice", "name: library", "name: library\nname: books", "this key stands twice"),
    _text("no YAML", "name: [1\n", "surface.yaml: not valid YAML"),
    _text("a list", "- name\n", "expected keys with values, such as `name: my_surface`, found a list"),
    _text("an empty file", "", "expected keys with values, such as `name: my_surface`, found nothing"),
    _surface(
        "a kind that does not exist",
        "match: {kind: numeric",
        "match: {kind: number",
        "features.match.kind: input should be 'numeric' or 'categorical', found 'number'",
    ),
    _surface(
        "a default of another type",
        "pages: {kind: numeric, side: item, default: 200}",
        "pages: {kind: numeric, side: item, default: many}",
        "features.pages: a numeric feature has a number as default, found 'many'",
    ),
    _surface(
        "an optional column without a default",
        "default: unknown, ",
        "",
        "features.genre: the schema gives it no `shape`, so it may be absent from an example",
    ),
    _surface(
        "a column that the schema lacks",
        "  reader: {",
        "  readr: {",
        "expected a feature of {surface}/schema.pbtxt, found 'readr'; did you mean 'reader'?",
    ),
    _surface(
        "a label that the schema lacks",
        "label: was_liked",
        "label: liked",
        "tasks.liked.label: expected a feature of {surface}/schema.pbtxt, found 'liked'",
    ),
    _surface(
        "a task of the teacher that is none",
        "distil: {from: loan}",
        "distil: {from: lone}",
        "tasks.borrowed.distil.from: expected a task of teacher.tasks, found 'lone'; did you mean 'loan'?",
    ),
    _surface(
        "a slice that is none",
        "slice: crime, ",
        "slice: crimes, ",
        "tasks.borrowed.gates.1.slice: expected a name of slices, found 'crimes'; did you mean 'crime'?",
    ),
    _surface(
        "a range as a slice",
        "{genre: crime}",
        "{genre: [a, b]}",
        "A slice is made of equal values",
    ),
    _surface(
        "a slice of another type",
        "{genre: crime}",
        "{genre: 3}",
        "slices.crime.features.genre: expected text, since the schema has BYTES for 'genre'; found the number 3",
    ),
    _surface("a task without a gate", _GATES_OF_LIKED, "", "tasks.liked: a task needs at least one gate"),
    _surface("a gate that asks nothing", ", at_least: 0.4}", "}", "a gate needs at_least, at_most, between"),
    _surface("a percentage as a bound", "at_least: 0.4", "at_least: 60", "is a fraction, expected a value"),
    _surface(
        "a bound that is no number",
        "at_least: 0.4",
        "at_least: .nan",
        "tasks.liked.gates.0.at_least: input should be a finite number, found nan",
    ),
    _surface(
        "a metric that is none",
        "metric: auc, at_least: 0.4",
        "metric: aux, at_least: 0.4",
        "tasks.liked.gates.0.metric: input should be 'auc'",
    ),
    _surface(
        "a metric of the other kind of task",
        "metric: auc, at_least: 0.4",
        "metric: r2, at_least: 0.4",
        "tasks.liked: a binary task is gated on one of",
    ),
    _surface(
        "a metric of groups without a group",
        "metric: auc, at_least: 0.4",
        "metric: grouped_auc, at_least: 0.4",
        "is computed within groups",
    ),
    _surface("a negative learning rate", "learning_rate: 0.005", "learning_rate: -1", "should be greater than 0"),
    _surface(
        "a decay that the optimizer has not",
        "learning_rate: 0.005",
        "learning_rate: 0.005, weight_decay: 0.01",
        "`weight_decay` is for `optimizer: adamw`, found optimizer: adam",
    ),
    _surface(
        "a word as a number", "epochs: 4", "epochs: many", "training.epochs: expected a whole number, found 'many'"
    ),
    _surface(
        "a score that is no formula",
        "slices:\n",
        "score: borrowed +\nslices:\n",
        "expected an arithmetic expression, found 'borrowed +'",
    ),
    _surface(
        "no teacher for what is distilled",
        _TEACHER,
        "",
        "tasks.borrowed.distil.from: there is nothing to distil from, the `teacher:` section is absent",
    ),
    WrongInput("a source domain as a target", "section, found none; there is nothing to distil", _as_source),
    _surface(
        "an input of the teacher without a source",
        "hour: {dtype: float, default: 0.5}",
        "hour: {dtype: float}",
        "teacher.features.hour: the target has no such feature; give `from:`",
    ),
    _surface(
        "an input from a column that is none",
        "from: reader",
        "from: raeder",
        "teacher.features.name.from: expected a feature of the target, found 'raeder'; did you mean 'reader'?",
    ),
    _schema("a schema that does not parse", "feature {", "feature { nam: 1 ", "expected a TFDV schema in text form"),
    _schema(
        "a schema without an environment",
        'default_environment: "RAW"\n',
        "",
        "schema.pbtxt: expected the environments RAW",
    ),
    _schema(
        "a label when serving",
        ' not_in_environment: "SERVING"',
        "",
        "feature 'was_borrowed': a label does not exist when serving",
    ),
    _schema(
        "a shape that is not always there",
        'name: "match" type: FLOAT presence { min_fraction: 1 }',
        'name: "match" type: FLOAT',
        "feature 'match': a column with a `shape` is in every example; expected `presence { min_fraction: 1 }`",
    ),
    _schema(
        "a label that is text",
        'name: "was_borrowed" type: INT',
        'name: "was_borrowed" type: BYTES',
        "tasks.borrowed.label: expected FLOAT or INT, the schema has BYTES for 'was_borrowed'",
    ),
    WrongInput(
        "no schema",
        "A surface folder holds surface.yaml and",
        lambda product: (product.surface / "schema.pbtxt").unlink(),
    ),
)
