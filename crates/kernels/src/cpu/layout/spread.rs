//! Where the gradient of a convolution's result lies.

use super::geometry::Geometry;
use crate::cpu::memory::Aligned;

/// Where the gradient of the convolution's result is written: `[row, channel, column, LANES]` with a border, so that
/// the gradient of the input is a convolution again, or several. Distances in pixels.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub channels: usize,
    /// Size of a plane, with its border.
    pub plane: [usize; 2],
    /// Position of the first pixel.
    pub first: [usize; 2],
}

impl Spread {
    /// Elements in a row of all channels.
    pub(crate) fn row_len(&self, lanes: usize) -> usize {
        self.channels * self.plane[1] * lanes
    }

    /// Room for it, with zeros wherever the gradient of no output is written.
    pub(crate) fn with_clear_border(&self, g: &Geometry, lanes: usize) -> Aligned {
        let (pool, size) = (&g.pool, g.conv);
        let covers = (0..2).all(|axis| {
            pool.stride[axis] == pool.kernel[axis] && size[axis].is_multiple_of(pool.kernel[axis])
        });
        if !covers || pool.padding != [0, 0] {
            return Aligned::zeros(self.len(lanes));
        }
        let mut to = Aligned::any(self.len(lanes));
        let (first, last) = (self.first[1] * lanes, (self.first[1] + size[1]) * lanes);
        for (row, planes) in to.chunks_exact_mut(self.row_len(lanes).max(1)).enumerate() {
            if row < self.first[0] || row >= self.first[0] + size[0] {
                planes.fill(0.0);
                continue;
            }
            for pixels in planes.chunks_exact_mut(self.plane[1] * lanes) {
                pixels[..first].fill(0.0);
                pixels[last..].fill(0.0);
            }
        }
        to
    }

    /// Elements in all.
    pub(crate) fn len(&self, lanes: usize) -> usize {
        self.plane[0] * self.row_len(lanes)
    }
}
