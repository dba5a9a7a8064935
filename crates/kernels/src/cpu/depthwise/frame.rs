//! Planes in a frame of zeros.

use crate::cpu::memory::{Aligned, copy_row};
use crate::ops::{DepthwiseConvOptions, FusedActivation};

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
    pub activation: FusedActivation,
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
        let (stride, activation) = (options.stride, options.activation);
        covered.then_some(Self {
            batch,
            channels,
            input,
            output,
            kernel,
            stride,
            padding,
            activation,
        })
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
    /// Where the columns of a row of the plane go.
    runs: Vec<Run>,
}

/// Columns of a plane that are as far apart from each other in a row of the frame: `len` of them.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: usize,
    to: usize,
    len: usize,
    /// From one to the next in the plane and in the frame. One of them is 1.
    step: [usize; 2],
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
        // Windows that move by several pixels see columns by their remainder.
        let runs = (0..stride[1]).map(|remainder| {
            let first = (remainder + stride[1] - before[1] % stride[1]) % stride[1];
            let to = place(before[1] + first);
            let columns = source[1].saturating_sub(first).div_ceil(stride[1]);
            let room = ((remainder + 1) * phase_len).saturating_sub(to).div_ceil(spread[1]);
            Run { from: first, to, len: columns.min(room), step: [stride[1], spread[1]] }
        });
        Self {
            source,
            output,
            row_step: stride[0],
            row_len: phase_len * stride[1],
            rows,
            offsets: (0..kernel[1]).map(place).collect(),
            row_places: row_places.take_while(|row| *row < rows).collect(),
            runs: runs.filter(|run| run.len > 0).collect(),
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
            let from = &plane[row * width..][..width];
            let to = &mut frame[place * self.row_len..][..self.row_len];
            for run in &self.runs {
                run.copy(from, to);
            }
        }
    }
}

impl Run {
    #[inline(always)]
    fn copy(self, from: &[f32], to: &mut [f32]) {
        let (from, to) = (&from[self.from..], &mut to[self.to..]);
        match self.step {
            [1, 1] => copy_row(&from[..self.len], &mut to[..self.len]),
            [2, 1] => halve(from, &mut to[..self.len]),
            [1, 2] => double(&from[..self.len], to),
            [from_step, to_step] => {
                for i in 0..self.len {
                    to[i * to_step] = from[i * from_step];
                }
            }
        }
    }
}

/// Elements that are copied by vectors.
const TOGETHER: usize = 16;

/// Every second element of `from`.
#[inline(always)]
fn halve(from: &[f32], to: &mut [f32]) {
    let mut done = 0;
    while done + TOGETHER <= to.len() && 2 * (done + TOGETHER) <= from.len() {
        let pairs: &[f32; 2 * TOGETHER] = from[2 * done..].first_chunk().expect("as many elements");
        let to: &mut [f32; TOGETHER] = to[done..].first_chunk_mut().expect("as many elements");
        for i in 0..TOGETHER {
            to[i] = pairs[2 * i];
        }
        done += TOGETHER;
    }
    for i in done..to.len() {
        to[i] = from[2 * i];
    }
}

/// The elements of `from`, each followed by the zero that is there already; the last one alone.
#[inline(always)]
fn double(from: &[f32], to: &mut [f32]) {
    let mut done = 0;
    while done + TOGETHER <= from.len() && 2 * (done + TOGETHER) <= to.len() {
        let from: &[f32; TOGETHER] = from[done..].first_chunk().expect("as many elements");
        let pairs: &mut [f32; 2 * TOGETHER] =
            to[2 * done..].first_chunk_mut().expect("as many elements");
        for i in 0..TOGETHER {
            pairs[2 * i] = from[i];
            pairs[2 * i + 1] = 0.0;
        }
        done += TOGETHER;
    }
    for i in done..from.len() {
        to[2 * i] = from[i];
    }
}
