// The page's side of a worker: questions, and promises of answers.

export class Client {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #next = 0;

  /** `onTraining` is told whatever a training has come to. */
  constructor(module, onTraining = () => {}) {
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.id === undefined) {
        onTraining(data);
        return;
      }
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) {
        resolve(data.answer);
      } else {
        reject(Object.assign(new Error(data.error), { failed: data.failed }));
      }
    });
    this.#worker.addEventListener("error", (event) => this.#fail(event.message || "a part of the page cannot be loaded"));
    this.ready = this.send("start", { module });
  }

  send(kind, message = {}, transfer = []) {
    this.#next += 1;
    const id = this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...message, id, kind }, transfer);
    });
  }

  /** A request of `web/src/session.rs`. */
  ask(request, bytes) {
    return this.send("ask", { request, bytes });
  }

  end() {
    this.#worker.terminate();
  }

  #fail(reason) {
    this.#waiting.forEach(({ reject }) => reject(new Error(reason)));
    this.#waiting.clear();
  }
}

/** The bytes of a file beside the page. */
export async function fetched(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error(`${path} cannot be loaded`);
  }
  if (!response.ok) {
    throw new Error(`${path} cannot be loaded: the server says ${response.status}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
