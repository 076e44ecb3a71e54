"""No run may reach for the network; Beam's DirectRunner would download a runner binary."""

import subprocess
import sys

import pytest

GUARD = """
import ipaddress, sys

attempts = []

def refuse(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host in (None, "", "localhost"):
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        loopback = False
    if not loopback:
        attempts.append(host)
        raise OSError(f"no network in this test: {host}")

sys.addaudithook(refuse)
"""

# A pipeline without arguments, with a stage of its own, as BeamDagRunner opens it.
PIPELINE = """
import tempfile
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from pipeline.runners import Runner, run

folder = tempfile.mkdtemp()
schema = folder + "/schema.pbtxt"
open(schema, "w").write('feature { name: "x" type: INT }')
made = Pipeline(
    pipeline_name="offline",
    pipeline_root=folder,
    components=[ImportSchemaGen(schema_file=schema)],
    metadata_connection_config=sqlite_metadata_connection_config(folder + "/m.sqlite"),
)
"""


def run(script: str) -> subprocess.CompletedProcess:
    # Beam swallows the failure and falls back, so the attempts are counted, too.
    code = GUARD + PIPELINE + script + "\nsys.exit(f'tried to reach {attempts}' if attempts else 0)\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def test_beam_dag_runner_stays_on_this_machine():
    done = run("run(made, Runner.BEAM)")
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_guard_catches_what_beam_does_by_itself():
    done = run("BeamDagRunner().run(made)")
    assert done.returncode != 0
    assert "tried to reach" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--direct_num_workers=2"]])
def test_component_pipelines_get_the_in_memory_runner(arguments):
    from pipeline.beam_options import beam_args

    assert beam_args(arguments) == ["--runner=FnApiRunner", "--sdk_container_image=unused-in-process", *arguments]


def test_a_runner_of_ones_own_is_kept():
    from pipeline.beam_options import beam_args

    assert beam_args(["--runner=FlinkRunner"]) == ["--runner=FlinkRunner"]


def test_a_run_does_not_wait_for_the_client_of_vertex():
    # `tfx.v1` imports it: seconds at each start and in each container, also where everything runs on one machine.
    wanted = "{'tfx', 'tfx.v1', 'google.cloud.aiplatform'}"
    code = f"import sys, pipeline.runners, pipeline.pipeline; print(*{wanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["tfx"], done.stderr
