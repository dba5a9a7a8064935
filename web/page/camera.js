// Live pictures of a camera, where there is one.

/** How often the picture is taken, in milliseconds. */
const INTERVAL = 100;

export class Camera {
  #video = document.createElement("video");
  #button;
  #show;
  #tell;
  #stream = null;
  #timer = 0;
  /** Counts the starts and stops: what was begun before the last of them is out of date. */
  #token = 0;

  /** `show` gets the video and its size, `tell` a problem. */
  constructor(button, show, tell) {
    [this.#button, this.#show, this.#tell] = [button, show, tell];
    // Pages that did not come encrypted, or from this computer, are not given the camera.
    button.hidden = navigator.mediaDevices === undefined;
    button.addEventListener("click", () => (this.#stream === null ? this.#start() : this.stop()));
    [this.#video.muted, this.#video.playsInline] = [true, true];
  }

  async #start() {
    this.#token += 1;
    const token = this.#token;
    this.#button.disabled = true;
    try {
      const video = { facingMode: "environment", width: { ideal: 640 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video });
      if (token !== this.#token) {
        // Something else was chosen while the user was asked.
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      this.#stream = stream;
      stream.getTracks().forEach((track) => track.addEventListener("ended", () => this.#ended(stream)));
      this.#video.srcObject = stream;
      await this.#video.play();
    } catch (error) {
      if (token === this.#token) {
        this.stop();
        this.#tell(`the camera cannot be used: ${error.message}`);
      }
      return;
    }
    if (token !== this.#token) {
      return;
    }
    this.#button.disabled = false;
    this.#button.setAttribute("aria-pressed", "true");
    this.#timer = setInterval(() => this.#take(), INTERVAL);
  }

  #take() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (width * height > 0) {
      this.#show(this.#video, width, height);
    }
  }

  /** The camera was unplugged, or is not allowed any more. */
  #ended(stream) {
    if (stream === this.#stream) {
      this.stop();
      this.#tell("the camera gives no more pictures");
    }
  }

  /** Keeps the last picture. */
  stop() {
    this.#token += 1;
    this.#button.disabled = false;
    clearInterval(this.#timer);
    this.#stream?.getTracks().forEach((track) => track.stop());
    [this.#stream, this.#video.srcObject] = [null, null];
    this.#button.setAttribute("aria-pressed", "false");
  }
}
