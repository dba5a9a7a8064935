use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use selvedge_models::ImageResize;
use serde::{Deserialize, Serialize};

use crate::PageError;

/// A picture as a browser decodes it: red, green, blue and opacity of every pixel, row by row.
///
/// What a network gets of it is what `selvedge_data::ImageReader` makes of the same file, bit for bit: opacity is
/// dropped, colors become luma for networks of one channel, and the size is that of the network.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    rgba: &'a [u8],
    width: u32,
    height: u32,
}

/// What is behind the things in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// The picture is taken as it is.
    #[default]
    AsIs,
    /// Light, as on most photographs of clothes: the picture is inverted, since Fashion-MNIST and MNIST are light on
    /// black.
    Light,
    /// Light if the corners are; networks of three channels take the picture as it is.
    Guess,
}

/// The longest side of a picture, as for files.
const LONGEST_SIDE: u32 = 65_535;

/// The most pixels, as for files.
const MOST_PIXELS: u64 = 100_000_000;

impl<'a> Picture<'a> {
    /// A picture of `width` × `height` pixels.
    ///
    /// # Errors
    ///
    /// [`PageError::Picture`] if it has no pixels or more than 100 million, a side above 65,535, or if the bytes are
    /// not four for every pixel.
    pub fn new(rgba: &'a [u8], width: u32, height: u32) -> Result<Self, PageError> {
        let pixels = u64::from(width) * u64::from(height);
        let refused = |reason: &str| {
            Err(PageError::Picture(format!("has {width} × {height} pixels, {reason}")))
        };
        if pixels == 0 {
            return refused("so there is nothing to see");
        }
        if pixels > MOST_PIXELS {
            return refused("more than the limit of 100 million");
        }
        if width.max(height) > LONGEST_SIDE {
            return refused("and a side above the limit of 65,535");
        }
        if rgba.len() as u64 != 4 * pixels {
            return refused(&format!("but comes with {} bytes", rgba.len()));
        }
        Ok(Self { rgba, width, height })
    }

    /// The bytes that a network for `input = [channels, height, width]` takes, `[channel, row, column]`, and whether
    /// they were inverted. Without a known `resize` the shorter side becomes the longer one of the input, and what is
    /// beyond it is cut off on both sides alike.
    ///
    /// # Errors
    ///
    /// [`PageError::Picture`] for networks of neither 1 nor 3 channels.
    pub fn fitted(
        &self,
        input: [usize; 3],
        resize: Option<ImageResize>,
        background: Background,
    ) -> Result<(Vec<u8>, bool), PageError> {
        let [channels, height, width] = input;
        let planes = match channels {
            1 => vec![self.luma()],
            3 => (0..3).map(|channel| self.channel(channel)).collect(),
            _ => {
                let reason = format!("cannot be shown to a network of {channels} channels");
                return Err(PageError::Picture(reason));
            }
        };
        let resize = resize.unwrap_or(ImageResize::ShorterSide(height.max(width)));
        let (left, across) = self.part(resize, self.width, width);
        let (top, down) = self.part(resize, self.height, height);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, across, down);
        let mut fitted = Vec::with_capacity(channels * height * width);
        for plane in planes {
            let mut out = TypedImage::<U8>::new(width as u32, height as u32);
            // Of one type of pixels: the others would make the WebAssembly a fifth larger.
            let resized = TypedImageRef::<U8>::from_buffer(self.width, self.height, &plane)
                .map_err(|error| error.to_string())
                .and_then(|source| {
                    let resized = Resizer::new().resize_typed(&source, &mut out, &options);
                    resized.map_err(|error| error.to_string())
                });
            resized.map_err(|error| PageError::Picture(format!("cannot be resized: {error}")))?;
            fitted.extend(out.pixels().iter().map(|pixel| pixel.0));
        }
        let inverted = match background {
            Background::AsIs => false,
            Background::Light => true,
            Background::Guess => channels == 1 && has_light_corners(&fitted, [height, width]),
        };
        if inverted {
            fitted.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
        }
        Ok((fitted, inverted))
    }

    /// Where the part of a side that is to be seen begins, and its length: of `old` pixels, for `seen` of the network.
    fn part(&self, resize: ImageResize, old: u32, seen: usize) -> (f64, f64) {
        let ImageResize::ShorterSide(short) = resize else { return (0.0, f64::from(old)) };
        let (least, most) = (self.width.min(self.height), self.width.max(self.height));
        // The other side in whole pixels, as torchvision's `Resize`.
        let long = short as u64 * u64::from(most) / u64::from(least);
        let new = if old == least { short as u64 } else { long };
        let scale = f64::from(old) / new as f64;
        // As torchvision's `CenterCrop`, which rounds halves to even.
        let first = ((new as f64 - seen as f64) / 2.0).round_ties_even();
        let end = ((first + seen as f64) * scale).min(f64::from(old));
        (first * scale, end - first * scale)
    }

    fn luma(&self) -> Vec<u8> {
        let pixels = self.rgba.chunks_exact(4);
        // ITU-R 601-2 in 65536ths, as PIL's `convert("L")`.
        let luma = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
            ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16) as u8
        };
        pixels.map(luma).collect()
    }

    fn channel(&self, channel: usize) -> Vec<u8> {
        self.rgba.iter().skip(channel).step_by(4).copied().collect()
    }
}

/// Whether the corners of an image, each an eighth of its sides, are lighter than half on average.
fn has_light_corners(pixels: &[u8], [height, width]: [usize; 2]) -> bool {
    let is_corner = |at: usize, side: usize| {
        let near = side.div_ceil(8);
        at < near || at >= side - near
    };
    let (mut sum, mut count) = (0, 0);
    for (at, &pixel) in pixels.iter().enumerate() {
        if is_corner(at / width % height, height) && is_corner(at % width, width) {
            sum += u64::from(pixel);
            count += 1;
        }
    }
    sum > count * 127
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbaImage};
    use selvedge_data::{ImageReader, Resize};
    use std::io::Cursor;

    use super::*;

    /// A picture with values everywhere, of which no row or column is like another.
    fn picture(width: u32, height: u32) -> RgbaImage {
        RgbaImage::from_fn(width, height, |x, y| {
            let value = |k: u32| ((x * (7 + k) + y * (13 + 2 * k) + x * y / 3) % 256) as u8;
            image::Rgba([value(0), value(3), value(5), 255])
        })
    }

    fn as_of_a_file(image: &RgbaImage, shape: [usize; 3], resize: Option<Resize>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let reader = ImageReader::new(shape).unwrap();
        let reader = match resize {
            Some(resize) => reader.with_resize(resize).unwrap(),
            None => reader,
        };
        reader.read_bytes(&bytes.into_inner()).unwrap()
    }

    #[test]
    fn a_picture_becomes_what_the_same_file_becomes() {
        let ways = [
            (None, None),
            (Some(ImageResize::ShorterSide(40)), Some(Resize::ShorterSide(40))),
            (Some(ImageResize::Stretch), Some(Resize::Stretch)),
        ];
        for (width, height) in [(28, 28), (1, 1), (61, 33), (33, 200), (2, 900), (640, 480)] {
            let image = picture(width, height);
            let seen = Picture::new(image.as_raw(), width, height).unwrap();
            for shape in [[1, 28, 28], [3, 28, 28], [3, 20, 37]] {
                for (ours, theirs) in &ways {
                    let (pixels, inverted) = seen.fitted(shape, *ours, Background::AsIs).unwrap();
                    assert!(!inverted);
                    let expected = as_of_a_file(&image, shape, *theirs);
                    assert!(pixels == expected, "{width} × {height}, {shape:?}, {ours:?}");
                }
            }
        }
    }

    #[test]
    fn a_light_background_is_guessed_by_the_corners_of_grey_pictures_alone() {
        let dark_on_light = RgbaImage::from_fn(60, 80, |x, y| {
            let inside = (15..45).contains(&x) && (15..65).contains(&y);
            image::Rgba([if inside { 30 } else { 240 }; 4])
        });
        let fitted = |image: &RgbaImage, channels, background| {
            let picture = Picture::new(image.as_raw(), image.width(), image.height()).unwrap();
            picture.fitted([channels, 28, 28], None, background).unwrap()
        };
        let (as_is, _) = fitted(&dark_on_light, 1, Background::AsIs);
        let (pixels, inverted) = fitted(&dark_on_light, 1, Background::Guess);
        assert!(inverted && pixels.iter().zip(&as_is).all(|(a, b)| *a == 255 - *b));
        assert!(!fitted(&dark_on_light, 3, Background::Guess).1);
        let mut light_on_dark = dark_on_light.clone();
        image::imageops::invert(&mut light_on_dark);
        assert!(!fitted(&light_on_dark, 1, Background::Guess).1);
        assert!(fitted(&light_on_dark, 1, Background::Light).1);
    }

    #[test]
    fn pictures_of_no_pixels_too_many_or_other_bytes_are_refused_in_one_line() {
        let refused = |bytes: &[u8], width, height| {
            Picture::new(bytes, width, height).unwrap_err().to_string()
        };
        let told = "the picture has 0 × 7 pixels, so there is nothing to see";
        assert_eq!(refused(&[], 0, 7), told);
        let told = "the picture has 10001 × 10000 pixels, more than the limit of 100 million";
        assert_eq!(refused(&[], 10_001, 10_000), told);
        let told = "the picture has 70000 × 1 pixels, and a side above the limit of 65,535";
        assert_eq!(refused(&[], 70_000, 1), told);
        let told = "the picture has 2 × 1 pixels, but comes with 7 bytes";
        assert_eq!(refused(&[0; 7], 2, 1), told);
        let one = Picture::new(&[9, 9, 9, 255], 1, 1).unwrap();
        assert_eq!(one.fitted([1, 2, 2], None, Background::AsIs).unwrap().0, [9; 4]);
        let told = one.fitted([2, 2, 2], None, Background::AsIs).unwrap_err().to_string();
        assert_eq!(told, "the picture cannot be shown to a network of 2 channels");
    }
}
