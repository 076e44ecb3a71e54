"""ExampleGen: takes in gzipped TFRecords of tf.Example as they are, and nothing else that lies beside them."""

from __future__ import annotations

from tfx.components import ImportExampleGen
from tfx.dsl.components.base import executor_spec

from components.example_gen.executor import Executor


class ExampleGen(ImportExampleGen):
    """ImportExampleGen with this project's reader, which copies whole files.

    TFX's own sends every record through Beam, to shuffle them all and write them again; who
    trains shuffles them anyway.  And it reads every file that its pattern matches, whatever it is: the `_SUCCESS` of
    Spark ends the run without a file's name, and an uncompressed file is taken in beside
    gzipped ones.

    Component `outputs` contains:

     - `examples`: `standard_artifacts.Examples`, as ImportExampleGen writes them.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
