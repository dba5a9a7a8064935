//! Pixels as TensorBoard's image.

use super::proto::Image;

impl Image {
    /// `pixels` are bytes `[channels, height, width]`.
    pub(super) fn of_pixels(shape: [usize; 3], pixels: &[u8]) -> Result<Self, String> {
        let [channels, height, width] = shape;
        let color = match channels {
            1 => png::ColorType::Grayscale,
            2 => png::ColorType::GrayscaleAlpha,
            3 => png::ColorType::Rgb,
            4 => png::ColorType::Rgba,
            _ => {
                return Err(format!("it has {channels} channels, but must have 1 to 4"));
            }
        };
        let expected = channels.checked_mul(height).and_then(|rows| rows.checked_mul(width));
        if expected != Some(pixels.len()) || pixels.is_empty() {
            let found = pixels.len();
            return Err(format!("{channels} × {height} × {width} pixels are not {found} bytes"));
        }
        let area = height * width;
        let interleaved: Vec<u8> =
            (0..pixels.len()).map(|i| pixels[i % channels * area + i / channels]).collect();
        let mut encoded_image_string = Vec::new();
        let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let mut encoder = png::Encoder::new(&mut encoded_image_string, side(width), side(height));
        encoder.set_color(color);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&interleaved))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            height: height as i32,
            width: width as i32,
            colorspace: channels as i32,
            encoded_image_string,
        })
    }

    /// A PNG file as it is.
    pub(super) fn of_png(file: &[u8]) -> Result<Self, String> {
        let reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .map_err(|error| error.to_string())?;
        let header = reader.info();
        Ok(Self {
            height: header.height as i32,
            width: header.width as i32,
            colorspace: header.color_type.samples() as i32,
            encoded_image_string: file.to_vec(),
        })
    }
}
