// The page: a picture, what the network says of it, and what it goes by.

import { Camera } from "./camera.js";
import { Client, fetched } from "./client.js";
import { compiled } from "./engine.js";
import { bitmapOf } from "./decode.js";
import { figure, narrow, paintMap, paintMaps, paintSeen } from "./paint.js";
import { Sketch } from "./sketch.js";
import { Training } from "./training.js";

/** More are refused before they are decoded. */
const MOST_PIXELS = 100_000_000;

const element = (id) => document.getElementById(id);

let module;
let client;
/** Whether the worker was replaced by another that has not classified yet. */
let replaced = false;
let network;
/** The bytes of the network. */
let bundle;
/** What the picture is taken from: a file, or else the canvas. */
let file = null;
/** What the network says of the picture, and the picture as it gets it. */
let said = null;
let chosen = null;
let busy = false;
let again = false;
/** The number of the last request for maps; the answers to any other are out of date. */
let inside = 0;

function tell(problem) {
  element("problem").textContent = problem;
  element("problem").hidden = problem === "";
}

/** Of more classes than these, the most probable come first. */
const MOST_CLASSES = 20;

const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

/** How long a class is to stay the best before a screen reader is told, in milliseconds. */
const SETTLED = 800;

let announced = "";
let settling = 0;

/** Tells a screen reader what is new, not every stroke and every picture of the camera. */
function announce(text) {
  if (text === announced) {
    return;
  }
  announced = text;
  clearTimeout(settling);
  const region = element("answer-told");
  if (text === "") {
    region.textContent = "";
    return;
  }
  settling = setTimeout(() => {
    if (region.textContent !== text) {
      region.textContent = text;
    }
  }, SETTLED);
}

/** Shows an answer; a screen reader is told only `told`. */
function showText(text, told = text) {
  element("answer").textContent = text;
  announce(told);
}

/** Begins a worker. */
function connect() {
  client = new Client(module, undefined, replace);
}

/** Another worker for one that could not go on, with the network that there was; once, lest it never ends. */
async function replace(reason) {
  if (replaced || bundle === undefined) {
    tell(`the computation failed and cannot be begun anew: load the page again: ${reason}`);
    return;
  }
  replaced = true;
  connect();
  client.lost = true;
  const done = await attempt(() => Promise.all([client.ready, client.send("load", { bytes: bundle })]));
  if (done) {
    tell(`the computation failed and was begun anew: ${reason}`);
  }
}

/** Does what may fail, and tells why it has. */
async function attempt(what) {
  try {
    await what();
    return true;
  } catch (error) {
    tell(error.message);
    return false;
  }
}

const sketch = new Sketch(element("sketch"), element("pen-mark"), () => Number(element("pen").value), () => {
  file = null;
  classify();
});

const camera = new Camera(element("camera"), (video, width, height) => {
  sketch.show(video, width, height);
  file = null;
  classify();
}, tell);

/** Names the picture; while one is computed, only the last of those that follow is kept. */
async function classify() {
  if (network === undefined) {
    return;
  }
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  await attempt(async () => {
    const background = element("background").value;
    const source = file === null ? { picture: sketch.picture() } : { blob: file };
    try {
      said = await client.send("classify", { ...source, background });
    } catch (error) {
      clearAnswer();
      throw error;
    }
    [client.lost, replaced] = [false, false];
    tell("");
    showAnswer();
    await showInside();
  });
  busy = false;
  if (again) {
    again = false;
    classify();
  }
}

/** Takes away what was said of the picture before. */
function clearAnswer() {
  said = null;
  inside += 1;
  showText("There is no answer for this picture.");
  const seen = element("seen");
  seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
  element("classes").querySelectorAll("label").forEach((label) => {
    label.classList.remove("best");
    label.querySelector(".bar span").style.width = "0";
    const share = label.querySelector(".percent");
    [share.textContent, share.value] = ["", ""];
  });
  element("where").replaceChildren();
  element("maps").replaceChildren();
}

function showAnswer() {
  const { classes, input } = network;
  const { class: best, probabilities, inverted, milliseconds, bytes } = said;
  const time = milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds);
  const isEmpty = file === null && bytes.every((pixel) => pixel === 0);
  if (isEmpty) {
    showText("Draw something, or choose a picture.");
  } else {
    showText(`${classes[best]}, ${percent(probabilities[best])}`, classes[best]);
  }
  element("seen-caption").textContent = `what the network gets${inverted ? ", inverted" : ""}`;
  element("network").textContent = `${describe(network)} The answer took ${time} ms.`;
  paintSeen(element("seen"), bytes, input);
  const labels = [...element("classes").querySelectorAll("label")];
  if (classes.length > MOST_CLASSES) {
    const share = (label) => probabilities[Number(label.firstElementChild.value)];
    element("classes").append(...labels.sort((a, b) => share(b) - share(a)));
  }
  labels.forEach((label) => {
    const at = Number(label.firstElementChild.value);
    label.classList.toggle("best", at === best);
    label.querySelector(".bar span").style.width = `${100 * probabilities[at]}%`;
    const share = label.querySelector(".percent");
    share.textContent = percent(probabilities[at]);
    share.value = probabilities[at];
    if (chosen === null) {
      label.firstElementChild.checked = at === best;
    }
  });
}

const describe = ({ name, parameters, input: [channels, height, width] }) =>
  `${name}: ${parameters.toLocaleString("en")} parameters, images of ${channels === 1 ? "" : `${channels} × `}${height} × ${width} pixels.`;

/** A radio button, a bar and a number for every class. */
function listClasses() {
  const lines = network.classes.map((name, at) => {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "class", value: at });
    radio.addEventListener("change", () => {
      chosen = at;
      attempt(showInside);
    });
    const text = document.createElement("span");
    text.textContent = name;
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.setAttribute("aria-hidden", "true");
    bar.append(document.createElement("span"));
    const share = document.createElement("data");
    share.className = "percent";
    label.append(radio, text, bar, share);
    return label;
  });
  element("classes").classList.toggle("many", network.classes.length > MOST_CLASSES);
  element("classes").replaceChildren(element("classes").querySelector("legend"), ...lines);
}

const isPressed = (id) => element(id).getAttribute("aria-pressed") === "true";

/** The maps that are asked for, of the picture as it is now. */
async function showInside() {
  if (client.lost) {
    // The engine has the picture no more; this comes back here.
    await classify();
    return;
  }
  if (said === null) {
    return;
  }
  inside += 1;
  const number = inside;
  const { bytes: seen } = said;
  const at = chosen ?? said.class;
  const name = network.classes[at];
  const room = element("where").clientWidth;
  const where = [];
  if (isPressed("saliency")) {
    const { bytes } = await client.ask({ do: "saliency", class: at });
    const label = `Saliency of ${name}`;
    const canvas = paintMap(bytes, seen, network.input, { over: false, label, room });
    where.push(narrow(canvas, `Saliency: the brighter a pixel, the more it changes the score of ${name}.`));
  }
  if (isPressed("grad-cam")) {
    const { bytes } = await client.ask({ do: "grad_cam", class: at });
    const label = `Grad-CAM of ${name}, over the picture`;
    const canvas = paintMap(bytes, seen, network.input, { over: true, label, room });
    where.push(narrow(canvas, `Grad-CAM: where layer ${network.cam_layer} finds ${name}, yellow the most.`));
  }
  const maps = isPressed("maps-button") ? [await layerMaps()] : [];
  if (number === inside) {
    element("where").replaceChildren(...where);
    element("maps").replaceChildren(...maps);
  }
}

async function layerMaps() {
  const layer = element("layer").value;
  const { bytes, shape, least, largest } = await client.ask({ do: "maps", layer });
  const [channels, height, width] = shape;
  const shown = bytes.length / (height * width);
  const count = shown < channels ? `the first ${shown} of ${channels} maps` : `${channels} maps`;
  const canvas = paintMaps(bytes, shape, `${count} of layer ${layer}`, element("maps").clientWidth);
  const scale = `dark is ${least.toPrecision(3)}, yellow ${largest.toPrecision(3)}`;
  return figure(canvas, `${layer}: ${count} of ${height} × ${width}, all on one scale: ${scale}.`);
}

/** Takes the bytes of a bundle as the network of the page. */
async function useNetwork(bytes, name) {
  try {
    network = await client.send("load", { bytes });
  } catch (error) {
    throw new Error(error.message.replace("bytes in memory", name));
  }
  tell("");
  bundle = bytes;
  // What was said and asked before is of another network.
  [chosen, said] = [null, null];
  inside += 1;
  element("network").textContent = describe(network);
  listClasses();
  element("layer").replaceChildren(...network.layers.map(({ path, operation, shape }) => {
    return new Option(`${path}: ${operation}, ${shape.join(" × ")}`, path);
  }));
  element("grad-cam").disabled = network.cam_layer === null;
  element("maps-button").disabled = network.layers.length === 0;
  if (network.cam_layer === null) {
    element("grad-cam").setAttribute("aria-pressed", "false");
  }
  await classify();
}

/** Shows a file as the picture. */
async function usePicture(blob) {
  camera.stop();
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  const name = blob.name ?? "the picture";
  const unreadable = new Error(`${name} is no picture that this browser can read, or a damaged one`);
  await attempt(async () => {
    try {
      await new Promise((resolve, reject) => {
        image.onload = resolve;
        image.onerror = reject;
      });
    } catch {
      throw unreadable;
    }
    const { naturalWidth: width, naturalHeight: height } = image;
    if (width * height === 0 || width * height > MOST_PIXELS) {
      throw new Error(`${name} has ${width} × ${height} pixels: 1 to 100 million can be shown`);
    }
    // The worker refuses more than an image element does: SVG, and files that are cut off.
    try {
      (await bitmapOf(blob)).close();
    } catch {
      throw unreadable;
    }
    sketch.show(image, width, height);
    // Told even if it is of the same class as the last.
    announce("");
    [file, chosen] = [blob, null];
    await classify();
  });
  URL.revokeObjectURL(image.src);
}

/** A file of a network. */
async function useBundle(given) {
  await attempt(async () => useNetwork(new Uint8Array(await given.arrayBuffer()), given.name));
}

/** A file of either kind, by its name. */
async function useFile(given) {
  await (given.name?.endsWith(".safetensors") ? useBundle(given) : usePicture(given));
}

/** Shows one of the pictures beside the page. */
const useSample = (path) => attempt(async () => usePicture(new Blob([await fetched(path)])));

function listSamples(samples) {
  const buttons = samples.map(({ file: path, class: name }) => {
    const button = document.createElement("button");
    button.type = "button";
    const image = new Image(48, 48);
    Object.assign(image, { src: path, alt: name, title: name });
    button.append(image);
    button.addEventListener("click", () => useSample(path));
    return button;
  });
  element("samples").append(...buttons);
}

function listen() {
  element("clear").addEventListener("click", () => {
    camera.stop();
    chosen = null;
    sketch.clear();
  });
  element("background").addEventListener("change", classify);
  for (const [id, use] of [["file", usePicture], ["photo", usePicture], ["bundle", useBundle]]) {
    element(id).addEventListener("change", async ({ target }) => {
      if (target.files.length > 0) {
        await use(target.files[0]);
        // So that the same file can be chosen again.
        target.value = "";
      }
    });
  }
  for (const id of ["saliency", "grad-cam", "maps-button"]) {
    element(id).addEventListener("click", () => {
      element(id).setAttribute("aria-pressed", String(!isPressed(id)));
      attempt(showInside);
    });
  }
  element("layer").addEventListener("change", () => {
    element("maps-button").setAttribute("aria-pressed", "true");
    attempt(showInside);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files.length > 0) {
      useFile(event.dataTransfer.files[0]);
    }
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) {
      useFile(event.clipboardData.files[0]);
    }
  });
}

async function start() {
  const parsed = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
  const parts = [fetched("site.json").then(parsed), fetched("selvedge.wasm.gz").then(compiled)];
  const [site, code] = await Promise.all(parts);
  module = code;
  connect();
  listSamples(site.samples);
  listen();
  const bundle = await fetched(site.bundle);
  await client.ready;
  await useNetwork(bundle, site.bundle);
  await (site.samples.length > 0 && useSample(site.samples[0].file));
  new Training(module, site, tell, useNetwork);
  document.documentElement.dataset.ready = "true";
}

attempt(start).then((started) => {
  if (!started) {
    showText("The page could not be started.");
  }
});
