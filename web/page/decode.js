// From a file to pixels, as programs read it: upright, without looking at colour profiles.

/** Larger pictures are made smaller by the browser first: beyond this, what it does cannot be seen any more. */
const MOST_PIXELS = 4_000_000;

/** A picture as the browser decodes it; it refuses what it would draw in part, or as SVG. */
export async function bitmapOf(blob) {
  const options = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
  try {
    return await createImageBitmap(blob, options);
  } catch {
    throw new Error("this is no picture that the browser can read, or a damaged one");
  }
}

/** The width, the height and the pixels of a picture. */
export async function decoded(blob) {
  const bitmap = await bitmapOf(blob);
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, rgba: new Uint8Array(data.buffer) };
}
