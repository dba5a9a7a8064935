// A worker with an engine of its own: it computes, and the page stays awake.

import { Engine, Failed } from "./engine.js";
import { decoded } from "./decode.js";

let module;
let engine;
let bundle;
/** The number of the training that may go on; any other is to stop. */
let training = 0;

const handlers = {
  start(message) {
    module = message.module;
    engine = new Engine(module);
    return {};
  },
  load({ bytes }) {
    const answer = engine.call({ do: "load" }, bytes);
    bundle = bytes;
    return answer;
  },
  async classify({ blob, picture, background }) {
    const { width, height, rgba } = picture ?? (await decoded(blob));
    const start = performance.now();
    const answer = engine.call({ do: "classify", width, height, background }, rgba);
    return { ...answer, milliseconds: performance.now() - start };
  },
  ask({ request, bytes }) {
    return engine.call(request, bytes);
  },
  async train({ number, request }) {
    training = number;
    const about = engine.call(request);
    postMessage({ training: number, about });
    // As many steps as take about a sixth of a second, so that the curve lives and the stop button works.
    let count = 1;
    while (training === number) {
      const start = performance.now();
      const progress = engine.call({ do: "steps", count });
      const seconds = (performance.now() - start) / 1000;
      postMessage({ training: number, progress, seconds });
      if (progress.epoch_end === null) {
        count = Math.max(1, Math.min(64, Math.round((count * 0.16) / seconds)));
      }
      // Lets a message come in.
      await new Promise((resolve) => setTimeout(resolve));
    }
    return {};
  },
  stop() {
    training = 0;
    return {};
  },
};

/** Begins anew after a trap, with the network that there was. */
function recover() {
  engine = new Engine(module);
  training = 0;
  if (bundle !== undefined) {
    engine.call({ do: "load" }, bundle);
  }
}

addEventListener("message", async ({ data }) => {
  const { id, kind, ...message } = data;
  try {
    postMessage({ id, answer: await handlers[kind](message) });
  } catch (error) {
    const failed = error instanceof Failed;
    const reason = failed ? `the computation failed and is begun anew: ${error.message}` : error.message;
    // Told first: what follows may fail, too, and whoever asked is not to wait for ever.
    postMessage({ id, error: reason, failed });
    if (failed) {
      try {
        recover();
      } catch (error) {
        postMessage({ dead: error.message });
      }
    }
  }
});
