// The training: its form, its worker, its curves.

import { Client, fetched } from "./client.js";
import { curve } from "./curves.js";

const element = (id) => document.getElementById(id);
/** Of more points a curve is thinned. */
const MOST_POINTS = 500;
const FILES = ["train_images", "train_labels", "test_images", "test_labels"];

export class Training {
  #module;
  #site;
  #tell;
  #use;
  #client = null;
  #number = 0;
  #records = { train: [], test: [] };
  #seconds = 0;

  /** `tell` shows a problem, `use` takes the bytes of a bundle as the network of the page. */
  constructor(module, site, tell, use) {
    [this.#module, this.#site, this.#tell, this.#use] = [module, site, tell, use];
    element("train-text").textContent = site.data.text;
    element("train").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    element("train-stop").addEventListener("click", () => this.#stop());
    element("train-use").addEventListener("click", () => this.#trained((bytes) => this.#use(bytes, "the network trained here")));
    element("train-save").addEventListener("click", () => this.#trained(save));
    this.#draw();
  }

  #status(text) {
    element("train-status").textContent = text;
  }

  #running(running, trained) {
    element("train-start").disabled = running;
    element("train-stop").disabled = !running;
    element("train-use").disabled = element("train-save").disabled = !trained;
  }

  async #start() {
    this.#number += 1;
    const number = this.#number;
    this.#running(true, false);
    this.#records = { train: [], test: [] };
    this.#seconds = 0;
    this.#draw();
    this.#tell("");
    try {
      await this.#prepare();
      const settings = {
        network: element("train-network").value,
        learning_rate: Number(element("train-rate").value),
        batch_size: Number(element("train-batch").value),
        seed: Number(element("train-seed").value),
      };
      const request = { do: "train", settings, classes: this.#site.data.classes };
      if (number === this.#number) {
        await this.#client.send("train", { number, request });
      }
      this.#ended("Stopped", true);
    } catch (error) {
      this.#tell(error.message);
      this.#forget();
      this.#ended("Ended", this.#records.test.length > 0);
    }
  }

  /** Ends a worker that has failed: its images and its network are gone. */
  #forget() {
    if (this.#client?.lost) {
      this.#client.end();
      this.#client = null;
      this.#records = { train: [], test: [] };
    }
  }

  /** A worker with the images, made once. */
  async #prepare() {
    if (this.#client !== null) {
      return;
    }
    this.#status("The images are being loaded.");
    const files = await Promise.all(FILES.map((name) => fetched(this.#site.data.files[name])));
    const client = new Client(this.#module, (message) => this.#progress(message));
    try {
      await client.ready;
      for (const [i, file] of FILES.entries()) {
        await client.ask({ do: "data", file }, files[i]);
      }
    } catch (error) {
      client.end();
      throw error;
    }
    this.#client = client;
  }

  #stop() {
    this.#number += 1;
    this.#client?.send("stop").catch((error) => this.#tell(error.message));
    this.#status("Stopping after this step.");
  }

  #progress({ training, progress, seconds }) {
    if (training !== this.#number || progress === undefined) {
      return;
    }
    this.#seconds += seconds;
    const { train, test } = this.#records;
    add(train, [progress.epochs, progress.loss, progress.accuracy]);
    if (progress.epoch_end !== null) {
      add(test, [progress.epoch_end.epoch, progress.epoch_end.loss, progress.epoch_end.accuracy]);
    }
    // A screen reader is told the epochs, not the steps.
    if (progress.epoch_end !== null || train.length === 1) {
      this.#status(this.#summary("Training"));
    }
    this.#draw();
  }

  /** `usable`: after an error what is left is the network of the last whole epoch, if there is one. */
  #ended(word, usable) {
    const trained = this.#records.train.length > 0;
    this.#running(false, trained && usable);
    const summary = trained ? this.#summary(word) : `${word} before the first step.`;
    const { test } = this.#records;
    const left = usable ? ` What is kept is the network after epoch ${test.at(-1)?.[0]}.` : " This network cannot be used or saved.";
    this.#status(trained && word === "Ended" ? summary + left : summary);
    this.#draw();
  }

  #summary(word) {
    const { train, test } = this.#records;
    const [epochs] = train.at(-1);
    const seconds = this.#seconds.toFixed(this.#seconds < 10 ? 1 : 0);
    const tested = test.length === 0 ? "" : `; ${(100 * test.at(-1)[2]).toFixed(1)}\u00a0% of the test images are right after epoch ${test.at(-1)[0]}`;
    return `${word}: ${epochs.toFixed(2)} epochs in ${seconds}\u00a0s${tested}.`;
  }

  #draw() {
    const { train, test } = this.#records;
    element("curves").hidden = train.length === 0;
    const of = (values, at) => values.map((value) => [value[0], value[at]]);
    const loss = curve("Loss", of(train, 1), of(test, 1), null);
    const accuracy = curve("Accuracy", of(train, 2), of(test, 2), 1);
    element("curves").replaceChildren(loss, accuracy);
  }

  async #trained(take) {
    try {
      const { bytes } = await this.#client.ask({ do: "trained" });
      await take(bytes);
    } catch (error) {
      this.#tell(error.message);
      if (this.#client?.lost) {
        this.#forget();
        this.#running(false, false);
        this.#draw();
      }
    }
  }
}

/** Adds a point to a curve; of too many, that one goes whose neighbours are closest to each other. */
function add(points, point) {
  points.push(point);
  if (points.length > MOST_POINTS) {
    const gap = (i) => points[i + 1][0] - points[i - 1][0];
    let least = 1;
    for (let i = 2; i < points.length - 1; i += 1) {
      least = gap(i) < gap(least) ? i : least;
    }
    points.splice(least, 1);
  }
}

/** Offers bytes as a file. */
function save(bytes) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = "fashion.safetensors";
  link.click();
  URL.revokeObjectURL(link.href);
}
