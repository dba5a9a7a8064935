"""The programs of the comparison of inference that run an ONNX file: ONNX Runtime and OpenVINO. Prints what a batch of
images takes, as a line of JSON. README.md says what the programs have in common."""

import argparse
import json
import math
import time

import numpy

from networks import uniform

# With its hint for throughput OpenVINO takes several requests at a time.
PROGRAMS = ["onnxruntime", "openvino", "openvino_requests"]


def with_onnxruntime(args):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.file, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return given.shape[1:], lambda images: session.run(None, {given.name: images})[0], None


def compiled_by_openvino(args, hint):
    import openvino

    core = openvino.Core()
    model = core.read_model(args.file)
    _, *shape = model.input().partial_shape
    shape = [side.get_length() for side in shape]
    # Fixed, as a program that knows its batches would have it.
    model.reshape([args.batch, *shape])
    settings = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
    return shape, core.compile_model(model, "CPU", settings)


def with_openvino(args):
    shape, compiled = compiled_by_openvino(args, "LATENCY")
    request = compiled.create_infer_request()
    return shape, lambda images: request.infer([images])[0], None


def with_openvino_requests(args):
    import openvino

    shape, compiled = compiled_by_openvino(args, "THROUGHPUT")
    request, queue = compiled.create_infer_request(), openvino.AsyncInferQueue(compiled)

    def stream(images, seconds):
        """Images a second, with a request begun wherever one has ended."""
        for count in (len(queue), None):
            start, begun = time.perf_counter(), 0
            while begun < count if count else not begun or time.perf_counter() - start < seconds:
                queue.start_async([images])
                begun += 1
            queue.wait_all()
        return begun * args.batch / (time.perf_counter() - start)

    return shape, lambda images: request.infer([images])[0], stream


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--program", choices=PROGRAMS, default=PROGRAMS[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--calls", type=int, default=100, help="at least so many, however long they take")
    args = parser.parse_args()
    shape, call, stream = globals()[f"with_{args.program}"](args)
    shape = (args.batch, *shape)
    images = uniform(0, math.prod(shape)).astype(numpy.float32).reshape(shape)
    first = numpy.array(call(images)[0], dtype=numpy.float64)
    for _ in range(1, args.warmup):
        call(images)
    start, seconds = time.perf_counter(), []
    while len(seconds) < args.calls or time.perf_counter() - start < args.seconds:
        begun = time.perf_counter()
        call(images)
        seconds.append(time.perf_counter() - begun)
    median, p99 = (1e3 * float(numpy.quantile(seconds, q, method="nearest")) for q in (0.5, 0.99))
    rate = stream(images, args.seconds) if stream else len(seconds) * args.batch / sum(seconds)
    size = float(numpy.sqrt((first**2).mean()))
    print(json.dumps({"size": size, "median_ms": median, "p99_ms": p99, "images_per_second": rate}))


if __name__ == "__main__":
    main()
