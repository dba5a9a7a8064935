//! Planes in a frame of zeros.

use crate::cpu::memory::Aligned;
use crate::ops::DepthwiseConvOptions;

/// The sizes of a depthwise convolution. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub batch: usize,
    pub channels: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Rows above and columns on the left; what is below and on the right follows from the output.
    pub padding: [usize; 2],
}

impl Sizes {
    /// The sizes for `[batch, channels, height, width]` and a kernel, if the kernels of this folder cover the
    /// case: there is something to compute, and every window meets the plane or its frame at its beginning.
    pub fn new(x: [usize; 4], kernel: [usize; 2], options: &DepthwiseConvOptions) -> Option<Self> {
        let [batch, channels, height, width] = x;
        let input = [height, width];
        let output = options.output_size(input, kernel)?;
        let padding = options.padding.map(|[before, _]| before);
        let covered = x.iter().all(|n| *n > 0) && (0..2).all(|axis| padding[axis] < kernel[axis]);
        let stride = options.stride;
        covered.then_some(Self { batch, channels, input, output, kernel, stride, padding })
    }
}

/// How a plane is laid out for the windows of a convolution to be read.
#[derive(Debug)]
pub(super) struct Frame {
    /// Height and width of a plane.
    pub source: [usize; 2],
    /// Height and width of the result.
    pub output: [usize; 2],
    /// Rows from one window to the next.
    pub row_step: usize,
    /// Elements of a row of the frame.
    pub row_len: usize,
    /// Rows of the frame.
    pub rows: usize,
    /// Where the columns of a window begin for the first output.
    pub offsets: Vec<usize>,
    /// The row of the frame for each row of the plane that is read.
    row_places: Vec<usize>,
    /// The place in a row for each column of the plane that is read.
    places: Vec<usize>,
    /// Whether the places are neighbours.
    is_solid: bool,
}

impl Frame {
    /// For the outputs of a convolution.
    pub fn of_input(sizes: &Sizes, lanes: usize) -> Self {
        let Sizes { input, output, kernel, stride, padding, .. } = *sizes;
        Self::new([input, output], kernel, [stride, [1; 2]], padding, lanes)
    }

    /// For the gradients of its inputs: of outputs that lie `stride` pixels apart.
    pub fn of_gradient(sizes: &Sizes, lanes: usize) -> Self {
        let Sizes { input, output, kernel, stride, padding, .. } = *sizes;
        let before = [kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]];
        Self::new([output, input], kernel, [[1; 2], stride], before, lanes)
    }

    /// Planes whose pixels are `spread` pixels apart behind `before` rows and columns of zeros, for windows
    /// that move by `stride`.
    fn new(
        [source, output]: [[usize; 2]; 2],
        kernel: [usize; 2],
        [stride, spread]: [[usize; 2]; 2],
        before: [usize; 2],
        lanes: usize,
    ) -> Self {
        // The last vector of a row reads beyond its outputs.
        let phase_len = output[1].next_multiple_of(lanes) + (kernel[1] - 1) / stride[1];
        let place = |column: usize| column % stride[1] * phase_len + column / stride[1];
        let rows = (output[0] - 1) * stride[0] + kernel[0];
        let row_places = (0..source[0]).map(|row| before[0] + row * spread[0]);
        let columns = (0..source[1]).map(|column| before[1] + column * spread[1]);
        let columns = columns.take_while(|column| column / stride[1] < phase_len);
        Self {
            source,
            output,
            row_step: stride[0],
            row_len: phase_len * stride[1],
            rows,
            offsets: (0..kernel[1]).map(place).collect(),
            row_places: row_places.take_while(|row| *row < rows).collect(),
            places: columns.map(place).collect(),
            is_solid: stride[1] == 1 && spread[1] == 1,
        }
    }

    /// Elements of a plane, and of the result.
    pub fn plane_lens(&self) -> [usize; 2] {
        [self.source, self.output].map(|[height, width]| height * width)
    }

    /// An empty frame.
    pub fn zeros(&self) -> Aligned {
        Aligned::zeros(self.rows * self.row_len)
    }

    /// Puts a plane into the frame, whose zeros stay as they are from one plane to the next.
    #[inline(always)]
    pub fn fill(&self, plane: &[f32], frame: &mut [f32]) {
        let width = self.source[1];
        assert!(plane.len() == self.source[0] * width);
        for (row, place) in self.row_places.iter().enumerate() {
            let from = &plane[row * width..][..self.places.len()];
            let to = &mut frame[place * self.row_len..][..self.row_len];
            if self.is_solid {
                // A plane without columns that are read has no first place.
                let first = self.places.first().copied().unwrap_or(0);
                to[first..][..from.len()].copy_from_slice(from);
            } else {
                for (value, place) in from.iter().zip(&self.places) {
                    to[*place] = *value;
                }
            }
        }
    }
}
