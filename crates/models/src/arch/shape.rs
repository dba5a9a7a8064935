use serde::{Deserialize, Serialize};

/// The shape of what flows between two layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `[channels, height, width]`
    Images([usize; 3]),
    /// The number of features.
    Features(usize),
}

impl Shape {
    /// `[channels, height, width]` of images that hold the same values: features are as many channels
    /// of one pixel.
    pub(crate) fn as_images(self) -> [usize; 3] {
        match self {
            Self::Images(sides) => sides,
            Self::Features(n) => [n, 1, 1],
        }
    }

    /// The number of values an image.
    pub fn size(self) -> usize {
        match self {
            Self::Images([c, h, w]) => c * h * w,
            Self::Features(n) => n,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Images([c, h, w]) => write!(f, "images of {c} × {h} × {w}"),
            Self::Features(n) => write!(f, "{n} features"),
        }
    }
}
