//! Looking at pictures in tests.

use std::path::Path;

use plotters::style::RGBColor;

use super::canvas::{Canvas, DrawError, pixels};

/// Width and height in the header of a PNG file (PNG specification, 11.2.2).
pub fn png_size(path: &Path) -> (u32, u32) {
    let bytes = std::fs::read(path).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(bytes[12..16], *b"IHDR");
    (number(16), number(20))
}

/// A picture in memory.
pub struct Picture {
    pub size: (u32, u32),
    bytes: Vec<u8>,
}

impl Picture {
    pub fn new(size: (u32, u32), draw: impl FnOnce(&Canvas) -> Result<(), DrawError>) -> Self {
        Self { size, bytes: pixels(size, draw).unwrap() }
    }

    pub fn at(&self, x: u32, y: u32) -> RGBColor {
        let i = (y as usize * self.size.0 as usize + x as usize) * 3;
        RGBColor(self.bytes[i], self.bytes[i + 1], self.bytes[i + 2])
    }

    /// Where a colour is between two columns.
    pub fn find(&self, color: RGBColor, columns: std::ops::Range<u32>) -> Vec<(u32, u32)> {
        let places = (0..self.size.1).flat_map(|y| columns.clone().map(move |x| (x, y)));
        places.filter(|&(x, y)| self.at(x, y) == color).collect()
    }

    /// Whether the outermost four rows and columns are white.
    pub fn border_is_clear(&self) -> bool {
        let (width, height) = self.size;
        let outside = |x, y| x < 4 || y < 4 || x >= width - 4 || y >= height - 4;
        let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        all.filter(|&(x, y)| outside(x, y)).all(|(x, y)| self.at(x, y) == RGBColor(255, 255, 255))
    }
}
