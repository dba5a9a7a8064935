// Runs exported networks as a browser does, with onnxruntime-web's WebAssembly, and compares their
// outputs with Selvedge's.
//
//   ONNX_FOLDER=target/exports cargo test --test onnx
//   npm install --no-save onnxruntime-web
//   node tests/javascript/check_onnx.mjs target/exports

import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const TOLERANCE = 1e-5; // relative to the largest output
const folder = process.argv[2];
const floats = (path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);

let worst = 0;
let failures = 0;
const cases = JSON.parse(readFileSync(`${folder}/manifest.json`));
for (const { name, input, output } of cases) {
  const session = await ort.InferenceSession.create(readFileSync(`${folder}/${name}.onnx`));
  const images = floats(`${folder}/${name}.images`);
  const expected = floats(`${folder}/${name}.outputs`);
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  for (const batch of [input[0], 1]) {
    const shape = [batch, ...input.slice(1)];
    const size = shape.reduce((a, b) => a * b);
    const tensor = new ort.Tensor("float32", images.slice(0, size), shape);
    const found = (await session.run({ images: tensor }))[session.outputNames[0]].data;
    let error = found.length === batch * output[1] ? 0 : NaN;
    found.forEach((value, i) => (error = Math.max(error, Math.abs(value - expected[i]) / scale)));
    worst = Math.max(worst, error);
    if (!(error <= TOLERANCE)) {
      failures += 1;
      console.error(`${name}, batch of ${batch}: off by ${error}`);
    }
  }
  await session.release();
}
console.log(`${cases.length} networks, onnxruntime-web ${ort.env.versions.web}: largest error ${worst}`);
process.exit(failures > 0 ? 1 : 0);
