"""`crosskd compile`: the pipeline as Kubeflow Pipelines 2 and Vertex read it."""

from __future__ import annotations

import gzip
import json
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosskd.launch import TrainerWorkersOption, revision, surface_folder
from crosskd.terminal import TERMINAL
from schema.candidates import fingerprint_key
from schema.errors import InputError

if TYPE_CHECKING:
    from schema.surface import Surface


class FailsUnless(StrEnum):
    """What a run must come to; the first two as `contracts.outcome.Outcome`."""

    PUSHED = "pushed"
    BLESSED = "blessed"
    ANY = "never"


_YAML = (".yaml", ".yml", ".yaml.gz")


def command(
    surface: Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")],
    image: Annotated[str, typer.Option(help="The containers' image, with a tag or a digest.")],
    pipeline_root: Annotated[str, typer.Option(help="Where artifacts go: gs://, s3:// or minio://bucket/folder.")],
    out: Annotated[Path, typer.Option(help="File: .yaml or .yaml.gz for Kubeflow Pipelines 2, .json for Vertex.")],
    examples: Annotated[str | None, typer.Option(help="Default of this run parameter; may hold {SPAN}.")] = None,
    span: Annotated[str | None, typer.Option(help="Default of this run parameter.")] = None,
    window: Annotated[int, typer.Option(min=1, help="Spans to train on, the newest included.")] = 1,
    candidates: Annotated[
        str | None, typer.Option(help="Folder of candidates for unlabelled pairs: default of this run parameter.")
    ] = None,
    people: Annotated[
        str | None, typer.Option(help="Catalogue of people for unlabelled pairs: default of this run parameter.")
    ] = None,
    items: Annotated[
        str | None, typer.Option(help="Catalogue of items for unlabelled pairs: default of this run parameter.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Default of this run parameter.")] = None,
    serving: Annotated[str | None, typer.Option(help="Default of this run parameter.")] = None,
    gates: Annotated[Path | None, typer.Option(help="YAML with gates by task, instead of the surface's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the surface's.")] = None,
    beam_args: Annotated[str | None, typer.Option(help="Arguments of Beam pipelines, in one text.")] = None,
    trainer_workers: TrainerWorkersOption = 1,
    fails_unless: Annotated[
        FailsUnless, typer.Option(help="A run is shown as failed unless its student is pushed, or blessed; or never.")
    ] = FailsUnless.PUSHED,
    policies: Annotated[
        Path | None, typer.Option(help="YAML with resources, retries, placing and more by node.")
    ] = None,
    volume: Annotated[list[str] | None, typer.Option(help="Mount a volume claim in all pods: claim=/path.")] = None,
    secret: Annotated[list[str] | None, typer.Option(help="Secret as a variable: secret-name:key=VARIABLE.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="Variable of all containers: VARIABLE=value.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Compile the pipeline for Kubeflow Pipelines 2 or Vertex."""
    if not out.name.endswith((*_YAML, ".json")):
        raise InputError(
            f"--out {out}: expected a name ending in .yaml or .yaml.gz (Kubeflow Pipelines), or in .json (Vertex)"
        )
    from schema.loader import load_surface
    from schema.surface import distilled

    loaded = load_surface(surface_folder(surface))
    distilled(loaded.surface)
    with tempfile.TemporaryDirectory() as folder, TERMINAL.noise_to(Path(folder) / "compile.log"):
        from contracts.outcome import Outcome
        from pipeline.kfp.compiler import CompileRequest, compile_job
        from pipeline.kfp.parameters import Defaults
        from pipeline.kfp.platform import read_platform
        from pipeline.kfp.policies import read_policies

        asked = read_policies(policies)
        platform = read_platform(volume or [], secret or [], env or [])
        request = CompileRequest(
            surface=loaded.surface,
            schema=loaded.schema_path.read_text(),
            image=image,
            pipeline_root=pipeline_root,
            defaults=Defaults(
                examples=examples,
                span=span,
                teacher=teacher,
                teacher_fingerprint=fingerprint_of(teacher) if teacher else None,
                serving=serving,
                seed=loaded.surface.training.seed if seed is None else seed,
                gates=gates_of(gates, loaded.surface) if gates else "",
                beam_args=_beam_args(beam_args),
                **_pairs_from(candidates=candidates, people=people, items=items),
            ),
            policies=asked,
            window=window,
            trainer_workers=trainer_workers,
            fails_unless=None if fails_unless is FailsUnless.ANY else Outcome(fails_unless.value),
            code_revision=revision(),
        )
        job = compile_job(request)
        platform.give_environment(job, asked)
        _write(out, job, platform.document(job, asked))
    tasks, needed = len(job["pipelineSpec"]["root"]["dag"]["tasks"]), required(job)
    TERMINAL.say(f"wrote {out}: {tasks} tasks; parameters that a run must give: {', '.join(needed) or 'none'}")
    if as_json:
        TERMINAL.json({"out": str(out), "tasks": tasks, "required_parameters": list(needed)})


def _pairs_from(**given: str | None) -> dict[str, str | None]:
    """Defaults of the folders that pairs are made of, with their fingerprints."""
    found = dict(given)
    for name, folder in given.items():
        found[fingerprint_key(name)] = fingerprint_of(folder, name) if folder else None
    return found


def fingerprint_of(folder: str, what: str = "teacher") -> str | None:
    """The fingerprint of a teacher, or of what pairs are made of, that can be read from here; None if it cannot.

    A gs:// URI is not tried: without credentials Google's client goes on trying for minutes.
    `crosskd fingerprint` reads it.
    """
    from records.fingerprint import fingerprint

    if folder.startswith("gs://"):
        return None
    try:
        return fingerprint(folder)
    except InputError as error:
        TERMINAL.say(f"{what}: the fingerprint is not known here: {error}")
        return None


def gates_of(path: Path, surface: Surface) -> str:
    """The run parameter `gates` from a file.

    Raises:
      InputError: There is no such file, or its gates do not fit the surface.
    """
    from pipeline.kfp.overrides import read_gates

    if not path.is_file():
        raise InputError(f"--gates {path}: expected a YAML file of gates by task, found no such file")
    return read_gates(path.read_text(), surface, str(path))


def required(job: dict[str, Any]) -> list[str]:
    """The run parameters without a default."""
    parameters = job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]
    return [name for name, parameter in parameters.items() if "defaultValue" not in parameter]


def _beam_args(given: str | None) -> str:
    from pipeline.beam_options import beam_args

    return " ".join(beam_args(given.split() if given else []))


def _write(out: Path, job: dict[str, Any], platform: dict[str, Any]) -> None:
    import yaml

    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".json":
        if not job["runtimeConfig"]["gcsOutputDirectory"].startswith("gs://"):
            raise InputError("--pipeline-root: Vertex keeps artifacts in gs:// only; for another store write .yaml")
        out.write_text(json.dumps(job, indent=2, sort_keys=True) + "\n")
    else:
        content = yaml.safe_dump_all([job["pipelineSpec"], platform], sort_keys=True, width=120).encode()
        # Without the time in it, so that the same pipeline is the same file.
        out.write_bytes(gzip.compress(content, mtime=0) if out.suffix == ".gz" else content)
