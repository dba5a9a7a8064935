// How fast is a network in the browser, beside ONNX Runtime Web? The same weights, the same picture, one thread, each
// run in a fresh headless Chromium ($CHROMIUM, or chromium).
//
//   cargo run --example web -- --build-only
//   cargo run --example export_onnx -- --model cnn2_small --weights runs/web/fashion.safetensors --out runs/web/fashion.onnx
//   npm install --no-save onnxruntime-web
//   node web/compare/run.mjs [runs]

import { tmpdir } from "node:os";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";

const root = join(import.meta.dirname, "../..");
const FOLDERS = { site: join(root, "runs/web"), ort: join(root, "node_modules/onnxruntime-web/dist"), compare: import.meta.dirname };
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const FILES = {
  selvedge: ["site/selvedge.wasm.gz", "site/engine.js"],
  ort: ["ort/ort-wasm-simd-threaded.wasm", "ort/ort-wasm-simd-threaded.mjs", "ort/ort.wasm.min.mjs"],
};
const runs = Number(process.argv[2] ?? 5);

const read = (path) => {
  const [folder, ...rest] = path.split("/");
  return readFileSync(join(FOLDERS[folder], ...rest));
};

let done = () => {};
const server = createServer(async (request, response) => {
  if (request.method === "POST") {
    let text = "";
    for await (const part of request) {
      text += part;
    }
    response.end();
    done(JSON.parse(text));
    return;
  }
  const path = new URL(request.url, "http://x").pathname.slice(1);
  try {
    const body = read(path);
    response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
    response.end(body);
  } catch {
    response.writeHead(404);
    response.end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

/** What the page measures in a browser of its own. */
async function measured(which) {
  const profile = mkdtempSync(join(tmpdir(), "compare-"));
  const url = `http://127.0.0.1:${server.address().port}/compare/page.html?${which}`;
  const options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`];
  const browser = spawn(process.env.CHROMIUM ?? "chromium", [...options, url], { stdio: "ignore", detached: true });
  const result = await new Promise((resolve) => {
    done = resolve;
  });
  process.kill(-browser.pid, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 500));
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  return result;
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const results = { selvedge: [], ort: [] };
for (let i = 0; i < runs; i += 1) {
  for (const which of Object.keys(results)) {
    results[which].push(await measured(which));
  }
}
const largest = results.selvedge[0].probabilities.map((p, i) => Math.abs(p - results.ort[0].probabilities[i]));
console.log(`largest difference of a probability: ${Math.max(...largest).toExponential(1)}`);
console.log("| | to load | with Brotli | to the first answer | images/s, one at a time |");
console.log("|---|---:|---:|---:|---:|");
for (const [which, found] of Object.entries(results)) {
  const files = FILES[which].map(read);
  const [raw, zipped] = [files, files.map((file) => brotliCompressSync(file))].map((list) => list.reduce((sum, file) => sum + file.length, 0));
  const first = median(found.map(({ first }) => first));
  const speed = median(found.map(({ speed }) => speed));
  console.log(`| ${which} | ${(raw / 1e6).toFixed(1)} MB | ${(zipped / 1e6).toFixed(2)} MB | ${first.toFixed(0)} ms | ${speed.toFixed(0)} |`);
}
const learned = median(results.selvedge.map((found) => found.learned));
console.log(`selvedge trains on ${learned.toFixed(0)} images/s`);
server.close();
