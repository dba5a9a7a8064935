// Measures one of the two, and tells the server.

const SECONDS = 3;
const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());

/** A picture of 28 × 28 pixels that is the same everywhere. */
const PIXELS = Uint8Array.from({ length: 784 }, (_, i) => (i * 37 + (i >> 4) * 11) % 256);

/** Functions that give the probabilities of the picture, and that train, where that can be. */
const makers = {
  async selvedge() {
    const [{ Engine, compiled }, packed, bundle] = await Promise.all([
      import("/site/engine.js"),
      bytes("/site/selvedge.wasm.gz"),
      bytes("/site/fashion.safetensors"),
    ]);
    const module = await compiled(packed);
    const engine = new Engine(module);
    engine.call({ do: "load" }, bundle);
    const rgba = new Uint8Array(4 * 784).fill(255);
    PIXELS.forEach((pixel, i) => rgba.fill(pixel, 4 * i, 4 * i + 3));
    const request = { do: "classify", width: 28, height: 28, background: "as_is" };
    return {
      answer: async () => engine.call(request, rgba).probabilities,
      trained: () => trained(engine),
    };
  },
  async ort() {
    const [ort, model, head] = await Promise.all([import("/ort/ort.wasm.min.mjs"), bytes("/site/fashion.onnx"), bytes("/site/fashion.safetensors")]);
    ort.env.wasm.wasmPaths = "/ort/";
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    // The normalization is in the head of the bundle; ONNX has none of its own.
    const length = Number(new DataView(head.buffer).getBigUint64(0, true));
    const about = JSON.parse(new TextDecoder().decode(head.subarray(8, 8 + length))).__metadata__;
    const { mean, std } = JSON.parse(about.normalization);
    const answer = async () => {
      const values = Float32Array.from(PIXELS, (pixel) => (pixel / 255 - mean[0]) / std[0]);
      const images = new ort.Tensor("float32", values, [1, 1, 28, 28]);
      const { data } = (await session.run({ images }))[session.outputNames[0]];
      const exp = [...data].map((logit) => Math.exp(logit - Math.max(...data)));
      const sum = exp.reduce((a, b) => a + b);
      return exp.map((value) => value / sum);
    };
    return { answer, trained: async () => null };
  },
};

/** Images a second of a training in batches of 64. */
async function trained(engine) {
  const site = JSON.parse(new TextDecoder().decode(await bytes("/site/site.json")));
  for (const [file, path] of Object.entries(site.data.files)) {
    engine.call({ do: "data", file }, await bytes(`/site/${path}`));
  }
  const settings = { network: "cnn2_small", learning_rate: 0.001, batch_size: 64, seed: 0 };
  engine.call({ do: "train", settings, classes: site.data.classes });
  engine.call({ do: "steps", count: 20 });
  const start = performance.now();
  const { step } = engine.call({ do: "steps", count: 100 });
  return (64 * (step - 20)) / ((performance.now() - start) / 1000);
}

const { answer, trained: train } = await makers[location.search.slice(1)]();
const probabilities = await answer();
const first = performance.now();
for (let i = 0; i < 200; i += 1) {
  await answer();
}
let count = 0;
const start = performance.now();
while (performance.now() - start < 1000 * SECONDS) {
  await answer();
  count += 1;
}
const speed = count / ((performance.now() - start) / 1000);
const learned = await train();
await fetch("/result", { method: "POST", body: JSON.stringify({ first, speed, probabilities, learned }) });
