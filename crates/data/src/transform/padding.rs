use serde::{Deserialize, Serialize};

/// What lies beyond the edge of an image: torchvision's `padding_mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaddingMode {
    /// One value, 0 unless another is set.
    #[default]
    Constant,
    /// The pixel at the edge: `aa|abc|cc`.
    Edge,
    /// The image mirrored, without repeating the pixel at the edge: `cb|abc|ba`. The padding must be
    /// narrower than the image.
    Reflect,
    /// The image mirrored, with the pixel at the edge: `ba|abc|cb`. The padding must be no wider than the
    /// image.
    Symmetric,
}

impl PaddingMode {
    /// The widest padding of an image with a side so long.
    pub(super) fn most(self, side: usize) -> usize {
        match self {
            Self::Constant | Self::Edge => usize::MAX,
            Self::Reflect => side.saturating_sub(1),
            Self::Symmetric => side,
        }
    }

    /// Which of the `side` pixels in a line shows at a place, counted from the first pixel; `None` for the
    /// constant.
    pub(super) fn source(self, at: isize, side: usize) -> Option<usize> {
        let last = side as isize - 1;
        let inside = match self {
            _ if (0..=last).contains(&at) => at,
            Self::Constant => return None,
            Self::Edge => at.clamp(0, last),
            Self::Reflect if at < 0 => -at,
            Self::Reflect => 2 * last - at,
            Self::Symmetric if at < 0 => -at - 1,
            Self::Symmetric => 2 * last - at + 1,
        };
        Some(inside as usize)
    }
}

/// Copies the part of a padded plane whose first pixel lies at `[top, left]` of the plane, where both may be
/// negative.
pub(super) fn copy_part(
    plane: &[u8],
    [height, width]: [usize; 2],
    [top, left]: [isize; 2],
    (mode, fill): (PaddingMode, u8),
    (output, out_width): (&mut [u8], usize),
) {
    // The columns of the plane that the part shows as they are, and where in the part they begin.
    let first = left.clamp(0, width as isize) as usize;
    let end = (left + out_width as isize).clamp(first as isize, width as isize) as usize;
    let start = (first as isize - left).clamp(0, out_width as isize) as usize;
    let shown = start..(start + end - first);
    for (y, row) in output.chunks_exact_mut(out_width).enumerate() {
        let Some(y) = mode.source(top + y as isize, height) else {
            row.fill(fill);
            continue;
        };
        let source = &plane[y * width..][..width];
        row[shown.clone()].copy_from_slice(&source[first..end]);
        for x in (0..shown.start).chain(shown.end..out_width) {
            row[x] = mode.source(left + x as isize, width).map_or(fill, |x| source[x]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: NumPy, `np.pad([0, 1, 2], 3 or 2, mode)`; its "edge", "reflect" and "symmetric" are these.
    #[test]
    fn lines_are_continued_as_by_numpy() {
        let line = |mode: PaddingMode, wide: isize| {
            (-wide..3 + wide).map(|at| mode.source(at, 3)).collect::<Vec<_>>()
        };
        let some = |values: &[usize]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(line(PaddingMode::Edge, 3), some(&[0, 0, 0, 0, 1, 2, 2, 2, 2]));
        assert_eq!(line(PaddingMode::Reflect, 2), some(&[2, 1, 0, 1, 2, 1, 0]));
        assert_eq!(line(PaddingMode::Symmetric, 3), some(&[2, 1, 0, 0, 1, 2, 2, 1, 0]));
        assert_eq!(line(PaddingMode::Constant, 1), [None, Some(0), Some(1), Some(2), None]);
    }
}
