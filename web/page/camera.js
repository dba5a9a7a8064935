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

  /** `show` gets the video and its size, `tell` a problem. */
  constructor(button, show, tell) {
    [this.#button, this.#show, this.#tell] = [button, show, tell];
    // Pages that did not come encrypted, or from this computer, are not given the camera.
    button.hidden = navigator.mediaDevices === undefined;
    button.addEventListener("click", () => (this.#stream === null ? this.#start() : this.stop()));
    [this.#video.muted, this.#video.playsInline] = [true, true];
  }

  async #start() {
    try {
      const video = { facingMode: "environment", width: { ideal: 640 } };
      this.#stream = await navigator.mediaDevices.getUserMedia({ video });
      this.#video.srcObject = this.#stream;
      await this.#video.play();
    } catch (error) {
      this.stop();
      this.#tell(`the camera cannot be used: ${error.message}`);
      return;
    }
    this.#button.setAttribute("aria-pressed", "true");
    this.#timer = setInterval(() => this.#take(), INTERVAL);
  }

  #take() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (width * height > 0) {
      this.#show(this.#video, width, height);
    }
  }

  /** Keeps the last picture. */
  stop() {
    clearInterval(this.#timer);
    this.#stream?.getTracks().forEach((track) => track.stop());
    [this.#stream, this.#video.srcObject] = [null, null];
    this.#button.setAttribute("aria-pressed", "false");
  }
}
