// Two small figures that grow while a network is trained.

const NAMESPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [400, 230];
const FRAME = { left: 46, right: 14, top: 32, bottom: 42 };

function element(name, attributes, text = "") {
  const made = document.createElementNS(NAMESPACE, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = text;
  return made;
}

/** A round number of which there are some up to `most`. */
function tick(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  const steps = [0.2, 0.5, 1, 2].map((share) => share * power);
  return steps.find((step) => most / step <= 6) ?? power;
}

const short = (value) => String(Number(value.toPrecision(3)));

/**
 * A figure of a line and points over the epochs.
 *
 * `train` and `test` are lists of `[epochs, value]`; `most` is the top of the axis, or null for the largest value.
 */
export function curve(title, train, test, most) {
  const points = [...train, ...test];
  const top = most ?? Math.max(0.1, ...points.map(([, value]) => value));
  const reached = Math.max(0, ...points.map(([epochs]) => epochs));
  // The axis has an epoch at least.
  const end = Math.max(1, reached);
  const x = (epochs) => FRAME.left + (epochs / end) * (WIDTH - FRAME.left - FRAME.right);
  const y = (value) => HEIGHT - FRAME.bottom - (Math.min(value, top) / top) * (HEIGHT - FRAME.top - FRAME.bottom);
  const last = (values) => (values.length > 0 ? short(values.at(-1)[1]) : "none yet");
  const label = `${title} after ${short(reached)} epochs: training ${last(train)}, test ${last(test)}`;
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  svg.append(element("text", { x: FRAME.left, y: 19, "font-weight": 600 }, title));
  svg.append(element("text", { class: "train", x: WIDTH - 130, y: 19 }, "— training"));
  svg.append(element("text", { class: "test", x: WIDTH - 55, y: 19 }, "● test"));
  for (let value = 0; value <= top * 1.001; value += tick(top)) {
    svg.append(element("line", { class: "grid", x1: x(0), x2: x(end), y1: y(value), y2: y(value) }));
    svg.append(element("text", { x: FRAME.left - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  for (let epochs = 0; epochs <= end * 1.001; epochs += tick(end)) {
    svg.append(element("text", { x: x(epochs), y: HEIGHT - FRAME.bottom + 17, "text-anchor": "middle" }, short(epochs)));
  }
  svg.append(element("text", { x: (FRAME.left + WIDTH - FRAME.right) / 2, y: HEIGHT - 7, "text-anchor": "middle" }, "epochs"));
  const line = (values) => values.map(([epochs, value]) => `${x(epochs).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  svg.append(element("polyline", { class: "train", points: line(train) }));
  if (test.length > 1) {
    svg.append(element("polyline", { class: "test line", "stroke-dasharray": "4 3", points: line(test) }));
  }
  test.forEach(([epochs, value]) => svg.append(element("circle", { class: "test", cx: x(epochs), cy: y(value), r: 4 })));
  const figure = document.createElement("figure");
  figure.append(svg);
  return figure;
}
