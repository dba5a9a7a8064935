//! Zeros around an image.

use serde::{Deserialize, Serialize};

/// Rows and columns added around an image, in pixels.
///
/// A number alone, as `1.into()` or in a file, is the same on every side; else a file has the list
/// `[top, bottom, left, right]`.
///
/// ```
/// use selvedge_models::Padding;
///
/// let everywhere: Padding = serde_json::from_str("1")?;
/// assert_eq!(everywhere, 1.into());
/// let below: Padding = serde_json::from_str("[0, 1, 0, 1]")?;
/// assert_eq!(below, Padding::same([224, 224], 3, 2));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns on the left.
    pub left: usize,
    /// Columns on the right.
    pub right: usize,
}

impl Padding {
    /// TensorFlow's `SAME` for images of `[height, width]` and a square kernel: as little as makes ⌈size /
    /// stride⌉ windows fit, half of it on each side; an odd row is added below, an odd column on the
    /// right. A stride of 0 counts as 1.
    pub fn same(size: [usize; 2], kernel: usize, stride: usize) -> Self {
        let stride = stride.max(1);
        let around = |size: usize| {
            let reach = (size.div_ceil(stride).max(1) - 1).saturating_mul(stride);
            let reach = reach.saturating_add(kernel);
            let total = reach.saturating_sub(size);
            [total / 2, total - total / 2]
        };
        let ([top, bottom], [left, right]) = (around(size[0]), around(size[1]));
        Self { top, bottom, left, right }
    }

    /// The number of every side, if it is the same.
    pub fn uniform(self) -> Option<usize> {
        let Self { top, bottom, left, right } = self;
        [bottom, left, right].iter().all(|side| *side == top).then_some(top)
    }

    /// The sides in their order: `[top, bottom, left, right]`.
    pub fn sides(self) -> [usize; 4] {
        let Self { top, bottom, left, right } = self;
        [top, bottom, left, right]
    }
}

impl From<usize> for Padding {
    fn from(n: usize) -> Self {
        Self { top: n, bottom: n, left: n, right: n }
    }
}

impl std::fmt::Display for Padding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.uniform() {
            Some(n) => n.fmt(f),
            None => write!(f, "{:?}", self.sides()),
        }
    }
}

/// As it stands in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    EverySide(usize),
    Sides([usize; 4]),
}

impl From<Written> for Padding {
    fn from(written: Written) -> Self {
        match written {
            Written::EverySide(n) => n.into(),
            Written::Sides([top, bottom, left, right]) => Self { top, bottom, left, right },
        }
    }
}

impl From<Padding> for Written {
    fn from(padding: Padding) -> Self {
        padding.uniform().map_or(Self::Sides(padding.sides()), Self::EverySide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_size_is_too_large_for_same_padding() {
        let all = Padding::same([usize::MAX; 2], usize::MAX, 3).sides();
        assert_eq!(all.iter().sum::<usize>(), 0, "it has reached every pixel");
    }

    #[test]
    fn same_padding_is_that_of_efficientnet_lite_pytorch() {
        // Conv2dStaticSamePadding(1, 1, k, stride=[s], image_size=(h, w)).static_padding.padding of the
        // package efficientnet-lite-pytorch 0.1.0; it says left, right, top, bottom.
        for (size, kernel, stride, expected) in [
            ([224, 224], 3, 2, [0, 1, 0, 1]),
            ([56, 57], 5, 2, [1, 2, 2, 2]),
            ([7, 8], 3, 1, [1, 1, 1, 1]),
            ([1, 2], 5, 2, [2, 2, 1, 2]),
            ([9, 9], 1, 1, [0, 0, 0, 0]),
            ([5, 4], 1, 2, [0, 0, 0, 0]),
        ] {
            let found = Padding::same(size, kernel, stride);
            assert_eq!(found.sides(), expected, "{size:?}, kernel {kernel}, stride {stride}");
        }
    }

    #[test]
    fn a_file_holds_a_number_or_four() {
        for (padding, text) in [
            (Padding::from(2), "2"),
            (Padding { top: 0, bottom: 1, left: 2, right: 3 }, "[0,1,2,3]"),
        ] {
            assert_eq!(serde_json::to_string(&padding).unwrap(), text);
            assert_eq!(serde_json::from_str::<Padding>(text).unwrap(), padding);
        }
        for text in ["[1, 2]", "-1", "1.5", "\"same\"", "null"] {
            assert!(serde_json::from_str::<Padding>(text).is_err(), "{text}");
        }
    }
}
