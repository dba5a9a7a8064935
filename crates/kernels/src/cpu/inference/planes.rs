//! How one image lies in memory between two layers.

/// An image as planes of *blocks*: the values of `lanes` channels at a pixel are neighbours, then come the next pixel of
/// the row, the next row and the next block of channels. A vector holds a block at a pixel, whatever the size of the
/// image. Around a plane may lie a frame of zeros, for the layers that look beyond the border.
///
/// The image that comes in has blocks of one channel, as it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planes {
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Channels of a block. Those that fill up the last one are zero, or of no account.
    pub lanes: usize,
    /// Rows above and below, columns to the left and to the right that are zero.
    pub frame: [usize; 4],
}

impl Planes {
    pub fn new(shape: [usize; 3], lanes: usize) -> Self {
        Planes { shape, lanes, frame: [0; 4] }
    }

    /// Blocks of channels.
    pub fn blocks(&self) -> usize {
        self.shape[0].div_ceil(self.lanes)
    }

    /// Whether at most half of the lanes count.
    pub fn is_half(&self) -> bool {
        2 * self.shape[0] <= self.lanes
    }

    /// From one row to the next, in elements.
    pub fn row(&self) -> usize {
        (self.frame[2] + self.shape[2] + self.frame[3]) * self.lanes
    }

    /// From one block to the next, in elements.
    pub fn block(&self) -> usize {
        (self.frame[0] + self.shape[1] + self.frame[1]) * self.row()
    }

    /// Elements of the image.
    pub fn len(&self) -> usize {
        self.blocks() * self.block()
    }

    /// Where the first pixel of the image lies in a block.
    pub fn first(&self) -> usize {
        self.frame[0] * self.row() + self.frame[2] * self.lanes
    }

    /// Whether there is no frame.
    pub fn is_bare(&self) -> bool {
        self.frame == [0; 4]
    }

    /// Whether one row of a block follows directly on the other.
    pub fn has_no_columns(&self) -> bool {
        self.frame[2..] == [0, 0]
    }

    /// Clears the frames of images.
    pub fn clear_frame(&self, images: &mut [f32]) {
        if self.is_bare() {
            return;
        }
        let [top, bottom, left, right] = self.frame;
        let (row, lanes) = (self.row(), self.lanes);
        for block in images.chunks_exact_mut(self.block()) {
            block[..top * row].fill(0.0);
            let end = block.len() - bottom * row;
            block[end..].fill(0.0);
            for line in block[top * row..end].chunks_exact_mut(row) {
                line[..left * lanes].fill(0.0);
                line[row - right * lanes..].fill(0.0);
            }
        }
    }

    /// The image as `[channels, height, width]`.
    pub fn write(&self, image: &[f32], to: &mut [f32]) {
        let [channels, height, width] = self.shape;
        if [height, width] == [1, 1] && self.is_bare() {
            return to.copy_from_slice(&image[..channels]);
        }
        let (row, first, lanes) = (self.row(), self.first(), self.lanes);
        for (channel, plane) in to.chunks_exact_mut(height * width).enumerate() {
            let block = &image[channel / lanes * self.block() + channel % lanes..];
            for (y, line) in plane.chunks_exact_mut(width).enumerate() {
                for (x, value) in line.iter_mut().enumerate() {
                    *value = block[first + y * row + x * lanes];
                }
            }
        }
    }
}

/// The rows above, below, to the left and to the right that a kernel reaches beyond an image of `x` to give one of `y`.
pub(super) fn frame(
    x: [usize; 2],
    y: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: usize,
    padding: [usize; 2],
) -> [usize; 4] {
    let after = |axis: usize| {
        let reach = (y[axis] - 1) * stride[axis] + dilation * (kernel[axis] - 1) + 1;
        reach.saturating_sub(padding[axis] + x[axis])
    };
    [padding[0], after(0), padding[1], after(1)]
}
