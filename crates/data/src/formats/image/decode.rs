//! From the bytes of a file to pixels of one or three channels, upright.

use std::error::Error;
use std::io::{self, Cursor};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{LONGEST_SIDE, jpeg};

/// An image of the size that it has in its file: rows of pixels, the channels of a pixel together.
pub(super) struct Decoded {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<u8>,
}

/// The first image of a file, upright, with `channels` of 1 or 3.
pub(super) fn decode(
    bytes: &[u8],
    channels: usize,
    max_pixels: u64,
    max_bytes: u64,
) -> Result<Decoded, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| error.to_string())?;
    let Some(format) = reader.format() else {
        return Err(unknown(bytes).into());
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(max_bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(format!("{width} × {height} pixels, more than the limit of {max_pixels}"));
    }
    if decoder.total_bytes() > max_bytes {
        return Err(format!(
            "{width} × {height} pixels take more than {max_bytes} bytes, the limit"
        ));
    }
    if width == 0 || height == 0 {
        return Err(format!("an image of {width} × {height} pixels"));
    }
    // The image is whole, whatever is wrong with what is said about it.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(reason)?;
    if format == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        return Err("cut off: the JPEG ends before its image does".into());
    }
    let mut image = eight_bits(image)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let pixels = match channels {
        1 => luma(image),
        _ => image.into_rgb8().into_raw(),
    };
    Ok(Decoded { width, height, pixels })
}

/// What is wrong with an image, as its decoder says it. Of a file that is cut off some say only that a buffer was
/// not filled.
fn reason(error: ImageError) -> String {
    let ended = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    let mut is_cut_off = matches!(&error, ImageError::IoError(error) if ended(error));
    let mut source = error.source();
    while let Some(error) = source {
        is_cut_off |= error.downcast_ref::<io::Error>().is_some_and(ended);
        source = error.source();
    }
    if is_cut_off {
        return "cut off: the file ends in the middle of the image".into();
    }
    error.to_string().trim().to_owned()
}

/// What to say of a file whose format is not known.
fn unknown(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        // The box that says which of the formats of ISO 14496-12 it is.
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            "an HEIC, AVIF or video file: convert it to PNG or JPEG"
        }
        _ => "not a PNG, JPEG, BMP, WebP, GIF or TIFF file",
    }
}

/// The upper eight bits of every channel.
fn eight_bits(image: DynamicImage) -> Result<DynamicImage, String> {
    fn upper(values: &[u16]) -> Vec<u8> {
        values.iter().map(|value| (value >> 8) as u8).collect()
    }
    let (width, height) = (image.width(), image.height());
    let halved = match image {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageRgb8(_)
        | DynamicImage::ImageRgba8(_) => return Ok(image),
        DynamicImage::ImageLuma16(i) => {
            image::GrayImage::from_raw(width, height, upper(&i)).map(DynamicImage::from)
        }
        DynamicImage::ImageLumaA16(i) => {
            image::GrayAlphaImage::from_raw(width, height, upper(&i)).map(DynamicImage::from)
        }
        DynamicImage::ImageRgb16(i) => {
            image::RgbImage::from_raw(width, height, upper(&i)).map(DynamicImage::from)
        }
        DynamicImage::ImageRgba16(i) => {
            image::RgbaImage::from_raw(width, height, upper(&i)).map(DynamicImage::from)
        }
        _ => return Err("pixels in floating point: save it with 8 or 16 bits a channel".into()),
    };
    halved.ok_or_else(|| "damaged: fewer pixels than it says".into())
}

/// One channel, in the integers of PIL's `convert("L")`: 19595 R + 38470 G + 7471 B in 65536ths, rounded.
fn luma(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageLuma8(image) => image.into_raw(),
        DynamicImage::ImageLumaA8(image) => image.pixels().map(|p| p.0[0]).collect(),
        image => {
            let rgb = image.into_rgb8();
            let weighted = |[r, g, b]: [u8; 3]| {
                (19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b) + 0x8000) >> 16
            };
            rgb.pixels().map(|pixel| weighted(pixel.0) as u8).collect()
        }
    }
}
