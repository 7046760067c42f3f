"""Prints, as JSON, what TensorBoard's own reader finds under a log folder: by run, its scalars and hyperparameters."""

import json
import sys

from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

runs = EventMultiplexer(tensor_size_guidance={"scalars": 0}).AddRunsFromDirectory(sys.argv[1])
runs.Reload()
found = {}
for name in runs.Runs():
    run = runs.GetAccumulator(name)
    events = {tag: run.Tensors(tag) for tag in run.PluginTagToContent("scalars")}
    scalars = {tag: [[e.step, tensor_util.make_ndarray(e.tensor_proto).item()] for e in events[tag]] for tag in events}
    hparams = {tag: plugin_data_pb2.HParamsPluginData.FromString(data) for tag, data in run.PluginTagToContent("hparams").items()}
    start = hparams["_hparams_/session_start_info"].session_start_info
    end = hparams["_hparams_/session_end_info"].session_end_info
    settings = {key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()}
    found[name] = {
        "scalars": scalars,
        "first": events["loss"][0].wall_time,
        "last": events["loss"][-1].wall_time,
        "settings": settings,
        "status": plugin_data_pb2.api__pb2.Status.Name(end.status),
    }
json.dump(found, sys.stdout)
