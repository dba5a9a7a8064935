//! Where the input of a convolution lies.

use super::geometry::Geometry;
use crate::cpu::memory::Aligned;

/// The input of a convolution.
#[derive(Clone, Copy)]
pub(crate) struct InputPlanes {
    pub channels: usize,
    /// Size of a plane in Burn's layout.
    pub size: [usize; 2],
    /// How often rows and columns are repeated.
    pub upsample: [usize; 2],
    /// Border on each side of the interleaved rows and columns.
    pub padding: [usize; 2],
}

impl InputPlanes {
    /// The input of a block.
    pub(crate) fn of_input(g: &Geometry) -> Self {
        InputPlanes {
            channels: g.in_channels,
            size: g.input,
            upsample: g.upsample,
            padding: g.padding,
        }
    }

    /// Height and width, upsampled and with the border.
    pub(crate) fn padded(&self) -> [usize; 2] {
        let along = |axis: usize| self.size[axis] * self.upsample[axis] + 2 * self.padding[axis];
        [along(0), along(1)]
    }

    /// Elements of one image, without borders.
    pub(crate) fn image_len(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Room for an interleaved group, with zeros in the borders.
    pub(crate) fn with_clear_borders(&self, lanes: usize) -> Aligned {
        let mut group = Aligned::any(self.group_len(lanes));
        // The first and the last rows, and both ends of the others.
        let border = self.padding[0] * self.row_len(lanes);
        let (above, rest) = group.split_at_mut(border);
        let (rows, below) = rest.split_at_mut(rest.len() - border);
        above.fill(0.0);
        below.fill(0.0);
        self.clear_columns(rows, lanes);
        group
    }

    /// Clears the border at both ends of every row.
    pub(crate) fn clear_columns(&self, rows: &mut [f32], lanes: usize) {
        let (width, border) = (self.padded()[1] * lanes, self.padding[1] * lanes);
        for row in rows.chunks_exact_mut(width.max(1)) {
            row[..border].fill(0.0);
            row[width - border..].fill(0.0);
        }
    }

    /// Elements of an interleaved row of all channels, with borders.
    pub(crate) fn row_len(&self, lanes: usize) -> usize {
        self.channels * self.padded()[1] * lanes
    }

    /// Elements of an interleaved group, with borders.
    pub(crate) fn group_len(&self, lanes: usize) -> usize {
        self.padded()[0] * self.row_len(lanes)
    }
}
