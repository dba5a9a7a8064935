//! What can differ between the two directions of an image.

use serde::{Deserialize, Serialize};

/// A number of pixels for each direction of an image: the height and width of a kernel or window, its steps downwards
/// and to the right, or the padding above and below and that on the left and right.
///
/// A number alone, as `3.into()` or in a file, is both; else a file has the list `[height, width]`, PyTorch's order.
///
/// ```
/// use selvedge_models::{Architecture, Conv, Padding, Shape, Sides};
///
/// // A row of seven pixels, as in Inception.
/// let row = Conv::new(8, [1, 7]).padding(Padding { left: 3, right: 3, ..Padding::default() });
/// let net = Architecture::new("net", [3, 9, 9]).layer("conv1", row);
/// assert_eq!(net.output_shape()?, Shape::Images([8, 9, 9]));
/// let both: Sides = serde_json::from_str("3").unwrap();
/// assert_eq!(both, [3, 3].into());
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Sides {
    /// Along the columns, from top to bottom.
    pub height: usize,
    /// Along the rows, from left to right.
    pub width: usize,
}

impl Sides {
    /// The number of both directions, if it is the same.
    pub fn uniform(self) -> Option<usize> {
        (self.height == self.width).then_some(self.height)
    }

    /// `[height, width]`.
    pub fn each(self) -> [usize; 2] {
        [self.height, self.width]
    }
}

impl From<usize> for Sides {
    fn from(n: usize) -> Self {
        Self { height: n, width: n }
    }
}

impl From<[usize; 2]> for Sides {
    fn from([height, width]: [usize; 2]) -> Self {
        Self { height, width }
    }
}

impl std::fmt::Display for Sides {
    /// The number, or the two: `1 × 7`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.uniform() {
            Some(n) => n.fmt(f),
            None => write!(f, "{} × {}", self.height, self.width),
        }
    }
}

/// As it stands in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Both(usize),
    Each([usize; 2]),
}

impl From<Written> for Sides {
    fn from(written: Written) -> Self {
        match written {
            Written::Both(n) => n.into(),
            Written::Each(sides) => sides.into(),
        }
    }
}

impl From<Sides> for Written {
    fn from(sides: Sides) -> Self {
        sides.uniform().map_or(Self::Each(sides.each()), Self::Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_a_number_or_two() {
        for (sides, text) in [(Sides::from(2), "2"), ([1, 7].into(), "[1,7]")] {
            assert_eq!(serde_json::to_string(&sides).unwrap(), text);
            assert_eq!(serde_json::from_str::<Sides>(text).unwrap(), sides);
        }
        for text in ["[1]", "[1, 2, 3]", "-1", "1.5", "null"] {
            assert!(serde_json::from_str::<Sides>(text).is_err(), "{text}");
        }
    }
}
