// The canvas that is drawn on: with a pointer, or with the keyboard.

/** How far an arrow key moves the pen, in pixels of the canvas. */
const STEP = 8;

export class Sketch {
  #canvas;
  #context;
  #width;
  #onChange;
  #mark;
  #last = null;
  /** Where the pen of the keyboard is, and whether it is down. */
  #pen = { x: 140, y: 140, down: false };

  /**
   * `mark` shows where the pen of the keyboard is, `width` gives the width of the pen, `onChange` is called after every
   * change.
   */
  constructor(canvas, mark, width, onChange) {
    [this.#canvas, this.#mark] = [canvas, mark];
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#width = width;
    this.#onChange = onChange;
    this.#fill();
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 0) {
        canvas.setPointerCapture(event.pointerId);
        this.#last = this.#at(event);
        this.#line(this.#last, this.#last);
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#last !== null) {
        const events = event.getCoalescedEvents?.() ?? [];
        for (const moved of events.length > 0 ? events : [event]) {
          const to = this.#at(moved);
          this.#line(this.#last, to);
          this.#last = to;
        }
      }
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, () => {
        this.#last = null;
      });
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      mark.hidden = true;
    });
  }

  clear() {
    this.#fill();
    this.#onChange();
  }

  /** Shows a picture: its middle, so that it fills the canvas. */
  show(image, width, height) {
    this.#fill();
    const side = Math.min(width, height);
    const [left, top] = [(width - side) / 2, (height - side) / 2];
    const size = this.#canvas.width;
    // Few pixels are shown as squares, a photograph smoothly.
    this.#context.imageSmoothingEnabled = side > size / 2;
    this.#context.drawImage(image, left, top, side, side, 0, 0, size, size);
    this.#context.imageSmoothingEnabled = true;
  }

  /** The pixels, as the engine takes them. */
  picture() {
    const { width, height } = this.#canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    return { width, height, rgba: new Uint8Array(data.buffer) };
  }

  #fill() {
    this.#context.fillStyle = "#000";
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  #at(event) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    return { x: x * this.#canvas.width, y: y * this.#canvas.height };
  }

  #line(from, to) {
    const context = this.#context;
    context.strokeStyle = "#fff";
    context.lineCap = "round";
    context.lineWidth = this.#width();
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    this.#onChange();
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    const pen = this.#pen;
    if (move !== undefined) {
      const from = { x: pen.x, y: pen.y };
      const [width, height] = [this.#canvas.width, this.#canvas.height];
      pen.x = Math.max(0, Math.min(width, pen.x + STEP * move[0]));
      pen.y = Math.max(0, Math.min(height, pen.y + STEP * move[1]));
      if (pen.down) {
        this.#line(from, pen);
      }
    } else if (event.key === " ") {
      pen.down = !pen.down;
      if (pen.down) {
        this.#line(pen, pen);
      }
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    this.#showPen();
    event.preventDefault();
  }

  #showPen() {
    const pen = this.#pen;
    const [across, down] = [pen.x / this.#canvas.width, pen.y / this.#canvas.height].map((share) => `${Math.round(100 * share)}`);
    this.#mark.hidden = false;
    this.#mark.classList.toggle("down", pen.down);
    [this.#mark.style.left, this.#mark.style.top] = [`${across}%`, `${down}%`];
    const place = `pen ${pen.down ? "down" : "up"}, ${across} % across, ${down} % down`;
    this.#canvas.setAttribute("aria-label", `Picture to draw on: ${place}`);
  }
}
