// The page's side of a worker: questions, and promises of answers.

export class Client {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #next = 0;
  /** Why the worker answers no more. */
  #dead = null;
  /** Whether the engine was begun anew after a failure: all that it held but its network is gone. */
  lost = false;

  /** `onTraining` is told whatever a training has come to, `onDead` why the worker could not go on. */
  constructor(module, onTraining = () => {}, onDead = () => {}) {
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.dead !== undefined) {
        this.end(data.dead);
        onDead(data.dead);
        return;
      }
      if (data.id === undefined) {
        onTraining(data);
        return;
      }
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) {
        resolve(data.answer);
      } else {
        this.lost ||= data.failed;
        reject(new Error(data.error));
      }
    });
    this.#worker.addEventListener("error", (event) => this.#fail(event.message || "a part of the page cannot be loaded"));
    this.ready = this.send("start", { module });
  }

  send(kind, message = {}, transfer = []) {
    if (this.#dead !== null) {
      return Promise.reject(new Error(this.#dead));
    }
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

  /** Whoever still waits is told the reason. */
  end(reason = "the computation was ended") {
    this.#worker.terminate();
    this.#fail(reason);
  }

  #fail(reason) {
    [this.#dead, this.lost] = [reason, true];
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
