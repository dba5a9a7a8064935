"""Prints as JSON what TensorBoard reads in a folder of event files: every value, as the text that Python
writes a number in.

    python3 tests/python/read_events.py FOLDER

needs `tensorboard`, which brings Pillow.
"""

import io
import json
import sys

from google.protobuf.json_format import MessageToDict
from PIL import Image
from tensorboard import version
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util import tensor_util

UNLIMITED = {"scalars": 0, "images": 0, "histograms": 0, "text": 0}


def histogram(found):
    numbers = [found.min, found.max, found.num, found.sum, found.sum_squares]
    buckets = zip(found.bucket_limit, found.bucket)
    return [repr(number) for number in numbers], [[repr(limit), repr(n)] for limit, n in buckets]


def image(found):
    pixels = Image.open(io.BytesIO(found.encoded_image_string))
    assert pixels.size == (found.width, found.height)
    return pixels.mode, [pixels.width, pixels.height], pixels.tobytes().hex()


def text(found):
    return [part.decode() for part in found.tensor_proto.string_val]


def graph(events):
    """Each node with what reaches it and the shape that it gives."""
    sides = lambda node: [d.size for d in node.attr["_output_shapes"].list.shape[0].dim]
    return {node.name: [node.op, list(node.input), sides(node)] for node in events.Graph().node}


def numbers_as_text(tree):
    """Floats as text, so that no reader of JSON rounds them."""
    if isinstance(tree, dict):
        return {name: numbers_as_text(part) for name, part in tree.items()}
    if isinstance(tree, list):
        return [numbers_as_text(part) for part in tree]
    return repr(tree) if isinstance(tree, float) else tree


def main(folder):
    # Nothing is thinned out; what was written before a crash and again after it counts once.
    everything = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}
    events = EventAccumulator(folder, size_guidance=everything).Reload()
    tags = events.Tags()
    # What `tensorboard --load_fast false` shows, which removes repeated steps by rules of its own.
    shown = plugin_event_accumulator.EventAccumulator(folder, tensor_size_guidance=UNLIMITED).Reload()
    for tag in tags["scalars"]:
        value = lambda event: repr(tensor_util.make_ndarray(event.tensor_proto).item())
        expected = [(event.step, repr(event.value)) for event in events.Scalars(tag)]
        found = [(event.step, value(event)) for event in shown.Tensors(tag)]
        assert found == expected, f"{tag} is shown as {found}, not as {expected}"
    for tag in tags["histograms"]:
        expected = [event.step for event in events.Histograms(tag)]
        found = [event.step for event in shown.Tensors(tag)]
        assert found == expected, f"{tag} is shown at {found}, not at {expected}"

    def read(kind, of_tag, value):
        rows = lambda tag: [[event.step, repr(event.wall_time), value(event)] for event in of_tag(tag)]
        return {tag: rows(tag) for tag in sorted(tags[kind])}

    def of_plugin(name):
        try:
            return sorted(events.PluginTagToContent(name).items())
        except KeyError:
            return []

    hparams = {
        tag: numbers_as_text(MessageToDict(HParamsPluginData.FromString(content)))
        for tag, content in of_plugin("hparams")
    }
    found = {
        "tensorboard": version.VERSION,
        "file_version": events.file_version,
        "scalars": read("scalars", events.Scalars, lambda event: repr(event.value)),
        "histograms": read("histograms", events.Histograms, lambda e: histogram(e.histogram_value)),
        "images": read("images", events.Images, image),
        "texts": read("tensors", events.Tensors, text),
        "text_tags": [tag for tag, _ in of_plugin("text")],
        "hparams": hparams,
        "graph": graph(events) if tags["graph"] else None,
    }
    print(json.dumps(found, indent=1, sort_keys=True))


main(sys.argv[1])
