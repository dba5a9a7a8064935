//! Images within a picture. The drawing library knows none.

use kuva::plot::legend::LegendEntry;
use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene};

use super::page::compose;
use super::picture::{Picture, PlotError};
use super::square::font;
use super::style::{MARGIN, MUTED, css};

/// Red, green and blue of each pixel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Raster {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Raster {
    /// Of pixels `[channel, row, column]` of one (grey) or three channels; a larger image is shrunk until
    /// it is no more than `most` pixels wide and high. Nothing if the numbers do not fit.
    pub fn new(pixels: &[u8], [channels, height, width]: [usize; 3], most: usize) -> Option<Self> {
        let plane = height.checked_mul(width)?;
        let fits = plane > 0 && matches!(channels, 1 | 3);
        if !fits || plane.checked_mul(channels) != Some(pixels.len()) {
            return None;
        }
        let value = |row: usize, column: usize, color: usize| {
            pixels[(color % channels) * plane + row * width + column]
        };
        let longest = height.max(width);
        let shrunk = |side: usize| match longest <= most {
            true => side,
            false => (side * most / longest).max(1),
        };
        let (new_height, new_width) = (shrunk(height), shrunk(width));
        let mut rgb = Vec::with_capacity(3 * new_height * new_width);
        for row in 0..new_height {
            let rows = row * height / new_height..(row + 1) * height / new_height;
            for column in 0..new_width {
                let columns = column * width / new_width..(column + 1) * width / new_width;
                let area = rows.len() * columns.len();
                for color in 0..3 {
                    let values = rows.clone().flat_map(|y| columns.clone().map(move |x| (y, x)));
                    let sum: usize = values.map(|(y, x)| usize::from(value(y, x, color))).sum();
                    rgb.push(((sum + area / 2) / area) as u8);
                }
            }
        }
        Some(Self { width: new_width, height: new_height, rgb })
    }
}

/// An image at a place.
#[derive(Clone, Debug)]
pub struct Inset {
    pub raster: Raster,
    /// Left and top in units of the drawing.
    pub at: (f64, f64),
    /// Width and height in units of the drawing.
    pub size: (f64, f64),
}

impl Inset {
    /// The image in the middle of a square, as large as it can be with all pixels of one size.
    pub fn within(raster: Raster, (left, top): (f64, f64), side: f64) -> Self {
        let longest = raster.width.max(raster.height) as f64;
        // A unit is two pixels of a PNG.
        let pixel = match longest <= side {
            true => (2.0 * side / longest).floor() / 2.0,
            false => side / longest,
        };
        let size = (raster.width as f64 * pixel, raster.height as f64 * pixel);
        let at = (left + ((side - size.0) / 2.0).round(), top + ((side - size.1) / 2.0).round());
        Self { raster, at, size }
    }

    /// The image in the middle of a square whose side its longer one fills.
    pub fn filling(raster: Raster, (left, top): (f64, f64), side: f64) -> Self {
        let pixel = side / raster.width.max(raster.height) as f64;
        let size = (raster.width as f64 * pixel, raster.height as f64 * pixel);
        let at = (left + (side - size.0) / 2.0, top + (side - size.1) / 2.0);
        Self { raster, at, size }
    }

    /// A line around the image, which may be as white as the page.
    fn frame(&self) -> Primitive {
        Primitive::Rect {
            x: self.at.0 - 0.5,
            y: self.at.1 - 0.5,
            width: self.size.0 + 1.0,
            height: self.size.1 + 1.0,
            fill: Color::None,
            stroke: Some(css(MUTED).into()),
            stroke_width: Some(1.0),
            opacity: None,
        }
    }

    /// As an element of an SVG, its pixels as sharp squares.
    pub fn to_svg(&self) -> String {
        let Raster { width, height, rgb } = &self.raster;
        let png = encode((*width as u32, *height as u32), png::ColorType::Rgb, rgb);
        let png = base64(&png.expect("a raster has as many pixels as it says"));
        let ((x, y), (width, height)) = (self.at, self.size);
        format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{png}\" />\n"
        )
    }

    /// Draws the image on pixels of red, green, blue and opacity that are `scale` times the units.
    fn draw(&self, canvas: &mut [u8], (width, height): (usize, usize), scale: f64) {
        let ends = |start: f64, length: f64, limit: usize| {
            let pixel = |at: f64| (at * scale).round().clamp(0.0, limit as f64) as usize;
            pixel(start)..pixel(start + length)
        };
        let rows = ends(self.at.1, self.size.1, height);
        let columns = ends(self.at.0, self.size.0, width);
        for row in rows.clone() {
            let y = (row - rows.start) * self.raster.height / rows.len();
            for column in columns.clone() {
                let x = (column - columns.start) * self.raster.width / columns.len();
                let from = 3 * (y * self.raster.width + x);
                let to = 4 * (row * width + column);
                canvas[to..to + 3].copy_from_slice(&self.raster.rgb[from..from + 3]);
                canvas[to + 3] = u8::MAX;
            }
        }
    }
}

/// A picture with a title above one part that has images in it, each with a line around it.
pub fn compose_with(
    title: &str,
    subtitle: Option<&str>,
    mut part: Scene,
    insets: Vec<Inset>,
) -> Picture {
    part.elements.extend(insets.iter().map(Inset::frame));
    compose_below((title, subtitle), Vec::new(), part, insets)
}

/// A picture with title, subtitle and legend above one part that has images on it, without lines around them.
pub fn compose_below(
    (title, subtitle): (&str, Option<&str>),
    legend: Vec<LegendEntry>,
    mut part: Scene,
    mut insets: Vec<Inset>,
) -> Picture {
    part.font_family = font();
    let height = part.height;
    let mut picture = compose(title, subtitle, legend, vec![part]);
    // The part is the last on the page.
    let above = picture.scene.height - MARGIN / 2.0 - height;
    for inset in &mut insets {
        inset.at = (inset.at.0 + MARGIN, inset.at.1 + above);
    }
    picture.insets = insets;
    picture
}

/// The PNG with the images drawn on it; `scale` pixels are one unit of the drawing.
pub fn draw_on(encoded: &[u8], insets: &[Inset], scale: f64) -> Result<Vec<u8>, PlotError> {
    let mut reader =
        png::Decoder::new(std::io::Cursor::new(encoded)).read_info().map_err(failed)?;
    let size = reader.output_buffer_size().ok_or_else(|| failed("the picture is too large"))?;
    let mut canvas = vec![0; size];
    let info = reader.next_frame(&mut canvas).map_err(failed)?;
    if (info.color_type, info.bit_depth) != (png::ColorType::Rgba, png::BitDepth::Eight) {
        return Err(failed("its pixels are of another format"));
    }
    for inset in insets {
        inset.draw(&mut canvas, (info.width as usize, info.height as usize), scale);
    }
    encode((info.width, info.height), png::ColorType::Rgba, &canvas)
}

fn encode(size: (u32, u32), color: png::ColorType, pixels: &[u8]) -> Result<Vec<u8>, PlotError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

fn failed(error: impl ToString) -> PlotError {
    PlotError::Draw { reason: error.to_string() }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            match i <= group.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * i) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_its_standard() {
        // RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn planes_become_pixels_of_three_colors() {
        let grey = Raster::new(&[1, 2], [1, 1, 2], 10).unwrap();
        assert_eq!(grey.rgb, [1, 1, 1, 2, 2, 2]);
        let color = Raster::new(&[1, 2, 3, 4, 5, 6], [3, 1, 2], 10).unwrap();
        assert_eq!(color.rgb, [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn a_large_image_is_shrunk_to_the_means_of_its_parts() {
        // Rows of 0, 10, 20, …: each new pixel is the mean of 2 × 2.
        let pixels: Vec<u8> = (0..4).flat_map(|row| [10 * row; 8]).collect();
        let small = Raster::new(&pixels, [1, 4, 8], 4).unwrap();
        assert_eq!((small.width, small.height), (4, 2));
        assert_eq!(small.rgb, [[5; 12], [25; 12]].concat());
        let thin = Raster::new(&[7; 1000], [1, 1, 1000], 10).unwrap();
        assert_eq!((thin.width, thin.height), (10, 1));
    }

    #[test]
    fn pixels_that_do_not_fit_are_no_image() {
        for (pixels, shape) in [(2, [2, 1, 1]), (3, [1, 2, 2]), (0, [1, 0, 5]), (4, [4, 1, 1])] {
            assert_eq!(Raster::new(&vec![0; pixels], shape, 10), None, "{shape:?}");
        }
        assert_eq!(Raster::new(&[], [3, usize::MAX, 2], 10), None);
    }
}
