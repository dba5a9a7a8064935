// The WebAssembly: a request goes in, an answer comes out. `web/src/main.rs` says how they lie in its memory.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The WebAssembly of a file: from servers that unpack what ends in .gz, too. */
export async function compiled(bytes) {
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const unpacked = () => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  return WebAssembly.compile(packed ? await unpacked().arrayBuffer() : bytes);
}

/** What the engine refuses, as a line for the user. */
export class Refused extends Error {}

/** A trap: the instance cannot be used any more. */
export class Failed extends Error {}

export class Engine {
  /** An engine of a compiled module. */
  constructor(module) {
    this.exports = new WebAssembly.Instance(module, this.imports(module)).exports;
  }

  /**
   * What the module asks for: random numbers, which Burn draws the identities of parameters from. Whatever else the
   * crates in it could ask of a page is never called.
   */
  imports(module) {
    const random = (at, length) => crypto.getRandomValues(new Uint8Array(this.exports.memory.buffer, at >>> 0, length >>> 0));
    const never = () => {
      throw new Error("a function of the browser was called that the page does not have");
    };
    const imports = {};
    for (const { module: space, name } of WebAssembly.Module.imports(module)) {
      imports[space] ??= {};
      imports[space][name] = name.includes("getRandomValues") ? random : never;
    }
    return imports;
  }

  /** The answer to a request: what it says, with its bytes as `bytes`. */
  call(request, bytes = new Uint8Array()) {
    const text = encoder.encode(JSON.stringify(request));
    let at;
    try {
      // Addresses come as signed numbers: beyond 2 GiB they would be negative.
      const room = this.exports.room(text.length + bytes.length) >>> 0;
      const memory = new Uint8Array(this.exports.memory.buffer);
      memory.set(text, room);
      memory.set(bytes, room + text.length);
      at = this.exports.answer(text.length) >>> 0;
    } catch (error) {
      throw new Failed(this.reason(error));
    }
    const { text: answer, bytes: pixels } = this.framed(at);
    const about = JSON.parse(answer);
    if (about.error !== undefined) {
      throw new Refused(about.error);
    }
    about.bytes = pixels;
    return about;
  }

  /** What is at an address: the lengths of a text and of bytes, then both. */
  framed(at) {
    const { buffer } = this.exports.memory;
    const lengths = new DataView(buffer, at, 8);
    const [text, bytes] = [lengths.getUint32(0, true), lengths.getUint32(4, true)];
    const start = at + 8 + text;
    return {
      text: decoder.decode(new Uint8Array(buffer, at + 8, text)),
      bytes: new Uint8Array(buffer.slice(start, start + bytes)),
    };
  }

  /** Why a call has failed. */
  reason(error) {
    try {
      return this.framed(this.exports.failure() >>> 0).text;
    } catch {
      return String(error);
    }
  }
}
