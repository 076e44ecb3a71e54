"""Transform: TFX's, which reads and writes examples in batches."""

from tfx.components.transform import component
from tfx.dsl.components.base import executor_spec

from components.transform.executor import Executor


class Transform(component.Transform):
    """TFX's Transform, in two thirds of its time at 200,000 rows (benchmarks/batches.py).

    What it takes and gives is TFX's.  It writes transformed examples as gzipped TFRecords alone,
    and its caller puts `code_version("components.transform")` into `custom_config`: TFX has no
    other place for it in the cache's key.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
