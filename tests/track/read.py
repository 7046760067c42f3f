"""Reads what `ablate track` wrote with the trackers' own code, and compares it with metrics.jsonl.

    python tests/track/read.py ABLATE FOLDER

FOLDER is that of an experiment, with what was written for the trackers in _tracked. What is not installed is passed over,
and said. ABLATE is the program, to write again while TensorBoard's reader has the files open.
"""

import csv
import json
import math
import os
import pathlib
import struct
import subprocess
import sys

ablate, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
tracked = folder / "_tracked"
runs = sorted(path.parent.relative_to(folder).as_posix() for path in folder.glob("*/*/**/metrics.jsonl"))
assert len(runs) == 8, runs


def logged(run):
    """Values by metric, each a list of (step, value)."""
    metrics = {}
    for line in (folder / run / "metrics.jsonl").read_text().splitlines():
        line = json.loads(line)
        step = line.pop("step")
        for name, value in line.items():
            metrics.setdefault(name, []).append((step, value))
    return metrics


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def as_single(metrics):
    return {name: [(step, single(value)) for step, value in values] for name, values in metrics.items()}


def installed(package):
    try:
        __import__(package)
        return True
    except ImportError:
        print(f"skipped: {package} is not installed")
        return False


def check_tensorboard():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.hparams import metadata
    from tensorboard.util import tensor_util

    root = tracked / "tensorboard"
    for run in runs:
        accumulator = EventAccumulator(str(root / run), size_guidance={"scalars": 0}).Reload()
        scalars = {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}
        assert scalars == as_single(logged(run)), run

    # As TensorBoard's own server reads it, with files that change in between.
    multiplexer = EventMultiplexer(tensor_size_guidance={"scalars": 0}).AddRunsFromDirectory(str(root))
    multiplexer.Reload()
    assert sorted(multiplexer.Runs()) == runs, multiplexer.Runs()
    group = {}
    for run in runs:
        content = multiplexer.SummaryMetadata(run, metadata.SESSION_START_INFO_TAG).plugin_data.content
        start = metadata.parse_session_start_info_plugin_data(content)
        group.setdefault(start.group_name, []).append(run)
        assert start.hparams["arm"].string_value == run.split("/")[0]
        assert start.hparams["optimizer.lr"].number_value in (1e-3, 3e-3)
        content = multiplexer.SummaryMetadata(run, metadata.SESSION_END_INFO_TAG).plugin_data.content
        assert metadata.parse_session_end_info_plugin_data(content).status == 1
    assert group["layer"] == ["layer/seed-0", "layer/seed-1"] and len(group) == 6, group

    run, path = "base/seed-1", folder / "base/seed-1/metrics.jsonl"
    losses = lambda: [(e.step, tensor_util.make_ndarray(e.tensor_proto).item()) for e in multiplexer.Tensors(run, "loss")]
    whole = path.read_text()
    with open(path, "a") as file:
        file.write('{"step":9,"loss":0.5}\n')
    again = lambda: (subprocess.run([ablate, "track", folder, "--to", "tensorboard"], check=True, stdout=subprocess.DEVNULL), multiplexer.Reload())
    again()
    assert losses() == as_single(logged(run))["loss"] and losses()[-1] == (9, 0.5), losses()
    path.write_text("".join(whole.splitlines(keepends=True)[:3]))
    again()
    assert losses() == as_single(logged(run))["loss"] and len(losses()) == 3, losses()
    path.write_text(whole)
    again()
    assert losses() == as_single(logged(run))["loss"], losses()


def check_mlflow():
    from mlflow.store.tracking.file_store import FileStore
    from mlflow.tracking import MlflowClient

    client = MlflowClient((tracked / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("norms-which")
    found = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in found) == runs
    store = FileStore(str(tracked / "mlruns"))
    for run in found:
        expected = logged(run.info.run_name)
        for name, values in expected.items():
            history = store.get_metric_history(run.info.run_id, name.replace("@", "_"))
            assert [(metric.step, metric.value) for metric in history] == values, name
        assert set(run.data.metrics) == {name.replace("@", "_") for name in expected}
        assert run.data.params["arm"] == run.info.run_name.split("/")[0]
        assert run.data.params["model.norm.kind"] == ("layer" if run.data.params["arm"] == "layer" else "rms")
        assert run.info.status == "FINISHED" and run.info.start_time <= run.info.end_time
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["spec.toml"]
    best = client.search_runs([experiment.experiment_id], "params.stage = 'compare'", order_by=["metrics.`valid/bits_per_byte`"])
    assert len(best) == 4


def check_pyarrow():
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(tracked / "metrics.parquet").to_pylist()
    rows = list(csv.DictReader(open(tracked / "metrics.csv", newline="")))
    assert len(table) == len(rows) > 0
    for one, other in zip(table, rows):
        value = float(other.pop("value") or math.nan)
        assert one.pop("value") == value
        assert {name: str(value) for name, value in one.items()} == other


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# MLflow before TensorBoard, whose check changes the runs.
if installed("mlflow"):
    check_mlflow()
    print("MLflow read it")
if (tracked / "metrics.parquet").exists() and installed("pyarrow"):
    check_pyarrow()
    print("Arrow read it")
if installed("tensorboard"):
    check_tensorboard()
    print("TensorBoard read it")
