// Pixels and maps on canvases.

/** Viridis (Smith and van der Walt, matplotlib): even to the eye, also to one that does not tell red from green. */
const STOPS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];

const VIRIDIS = Array.from({ length: 256 }, (_, value) => {
  const place = (value / 255) * (STOPS.length - 1);
  const left = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[left].map((from, i) => Math.round(from + (STOPS[left + 1][i] - from) * (place - left)));
});

/** A canvas of so many pixels, each shown as large as `scale`; `color` gives the color at an index, or none. */
function canvas(width, height, scale, label, color) {
  const element = document.createElement("canvas");
  [element.width, element.height] = [width, height];
  element.style.width = `${width * scale}px`;
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", label);
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    const shown = color(i);
    if (shown !== null) {
      image.data.set([...shown, 255], 4 * i);
    }
  }
  element.getContext("2d").putImageData(image, 0, 0);
  return element;
}

/** The colors of an image of one or three channels, one channel after the other. */
function colors(pixels, [channels, height, width]) {
  const plane = height * width;
  return (i) => [0, 1, 2].map((channel) => pixels[(channels === 3 ? channel : 0) * plane + i]);
}

/** Draws the image that a network gets onto the canvas that is there for it. */
export function paintSeen(element, pixels, shape) {
  const [, height, width] = shape;
  const made = canvas(width, height, 1, "", colors(pixels, shape));
  [element.width, element.height] = [width, height];
  element.getContext("2d").drawImage(made, 0, 0);
}

/** A map of an image's pixels, alone or over the image, of which two fit into the room. */
export function paintMap(map, pixels, shape, { over, label, room }) {
  const [, height, width] = shape;
  const below = colors(pixels, shape);
  const color = (i) => {
    const shown = VIRIDIS[map[i]];
    // Where the map is 0, the image is seen as it is.
    const share = over ? 0.75 * Math.sqrt(map[i] / 255) : 1;
    return shown.map((value, k) => Math.round(share * value + (1 - share) * below(i)[k]));
  };
  const scale = Math.floor(Math.min(224, (room - 20) / 2) / width);
  return canvas(width, height, Math.max(1, scale), label, color);
}

/** The maps of a layer in rows, with a line between them. */
export function paintMaps(pixels, [channels, height, width], label, room) {
  const count = pixels.length / (height * width);
  const scale = Math.max(1, Math.min(Math.floor(84 / width), 6));
  const across = Math.max(1, Math.min(count, Math.floor(room / ((width + 1) * scale))));
  const [wide, high] = [across * (width + 1) - 1, Math.ceil(count / across) * (height + 1) - 1];
  return canvas(wide, high, scale, label, (i) => {
    const [x, y] = [i % wide, Math.floor(i / wide)];
    const map = Math.floor(y / (height + 1)) * across + Math.floor(x / (width + 1));
    const [column, row] = [x % (width + 1), y % (height + 1)];
    if (map >= count || column === width || row === height) {
      return null;
    }
    return VIRIDIS[pixels[(map * height + row) * width + column]];
  });
}

/** A canvas with a line under it. */
export function figure(element, caption) {
  const made = document.createElement("figure");
  const line = document.createElement("figcaption");
  line.textContent = caption;
  made.append(element, line);
  return made;
}

/** The same, as wide as the canvas. */
export function narrow(element, caption) {
  const made = figure(element, caption);
  made.style.width = element.style.width;
  return made;
}
