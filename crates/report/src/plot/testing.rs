//! Looking at pictures in tests.

use std::ops::Range;

use super::picture::Picture;
use super::style::Rgb;

/// A picture as PNG, decoded.
pub struct Pixels {
    pub size: (u32, u32),
    bytes: Vec<u8>,
}

impl Pixels {
    pub fn new(picture: &Picture) -> Self {
        let encoded = picture.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(encoded)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!(info.buffer_size(), (info.width * info.height * 4) as usize);
        Self { size: (info.width, info.height), bytes }
    }

    pub fn at(&self, x: u32, y: u32) -> Rgb {
        let i = (y as usize * self.size.0 as usize + x as usize) * 4;
        (self.bytes[i], self.bytes[i + 1], self.bytes[i + 2])
    }

    /// Where a colour is between two columns.
    pub fn find(&self, color: Rgb, columns: Range<u32>) -> Vec<(u32, u32)> {
        let places = (0..self.size.1).flat_map(|y| columns.clone().map(move |x| (x, y)));
        places.filter(|&(x, y)| self.at(x, y) == color).collect()
    }

    /// Whether the outermost four rows and columns are white.
    pub fn border_is_clear(&self) -> bool {
        let (width, height) = self.size;
        let outside = |x, y| x < 4 || y < 4 || x >= width - 4 || y >= height - 4;
        let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        all.filter(|&(x, y)| outside(x, y)).all(|(x, y)| self.at(x, y) == (255, 255, 255))
    }
}
