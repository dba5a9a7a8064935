//! The backward pass of a block: undo the pool, then the gradients of weight, bias and input.

mod input;
mod weight;

use rayon::prelude::*;

use crate::buffer::Aligned;
use crate::conv::{Plan, Source};
use crate::forward::group_scale;
use crate::options::Geometry;
use crate::pack::{Planes, pack, pack_rows};
use crate::pool::{Outputs, unpool};
use crate::recycled::Recycled;
use crate::simd::{Isa, Simd, Task};
use crate::spread::Spread;
use crate::winograd::{self, InputGradient, Methods};
use input::{group_input_grad, winograd_input_grad};
use weight::{WeightSum, sum_lanes};

/// What the backward pass starts from.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub scale: Option<&'a [f32]>,
    /// As [`forward`](crate::forward::forward) returned them.
    pub codes: &'a [u8],
}

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub x: bool,
    pub weight: bool,
}

/// Gradients in the layouts of their tensors; `x` and `weight` are empty if they were not wanted.
pub(crate) struct Gradients {
    pub x: Recycled,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Batches are cut into at most this many pieces, whose weight gradients are added in order. It
/// bounds the processor cores that a batch can use.
const MAX_PIECES: usize = 16;

/// Numbers that the weight gradients of all pieces together should not exceed (32 MiB).
const MAX_PARTIAL_LEN: usize = 8 * 1024 * 1024;

/// Computes the gradients from the gradient of the output.
pub(crate) fn backward(
    isa: Isa,
    g: &Geometry,
    saved: Saved,
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    backward_by(isa, (g, Methods::of(g, isa.lanes())), saved, grad, wanted)
}

/// The same by methods of the caller's choice.
pub(crate) fn backward_by(
    isa: Isa,
    (g, methods): (&Geometry, Methods),
    saved: Saved,
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    let (lanes, taps) = (isa.lanes(), g.taps());
    let shared = Shared::new(isa, (g, methods), saved, wanted);
    let groups = g.batch.div_ceil(lanes);
    // The cut depends on the batch alone, not on the threads: so do the sums.
    let partial_len = match methods.weight {
        Some(variant) => g.out_channels * g.in_channels * variant.positions(),
        None => g.out_channels * taps,
    };
    let max_pieces = (MAX_PARTIAL_LEN / partial_len).clamp(2, MAX_PIECES);
    let piece_images = lanes * groups.div_ceil(max_pieces).max(1);
    let mut dx = Recycled::any(if wanted.x { g.batch * g.input_len() } else { 0 });
    let mut dx_pieces: Vec<&mut [f32]> = match wanted.x {
        true => dx.chunks_mut((piece_images * g.input_len()).max(1)).collect(),
        false => (0..g.batch.div_ceil(piece_images)).map(|_| Default::default()).collect(),
    };
    let partial: Vec<Partial> = dx_pieces
        .par_iter_mut()
        .enumerate()
        .map_init(
            || Scratch::new(&shared, lanes),
            |scratch, (piece, dx)| {
                let first = piece * piece_images;
                let images = piece_images.min(g.batch - first);
                isa.run(BackwardPiece { shared: &shared, first, images, grad, dx, scratch })
            },
        )
        .collect();
    let weight_len = if wanted.weight { g.out_channels * taps } else { 0 };
    let weights = partial.iter().map(|piece| &piece.weight[..]).collect();
    let biases = partial.iter().map(|piece| &piece.bias[..]).collect();
    Gradients { x: dx, weight: add(weights, weight_len), bias: add(biases, g.out_channels) }
}

/// Numbers that one task adds up.
const ADD_LEN: usize = 4 * 1024;

/// The sum of vectors of `len` numbers, in their order and in double precision.
fn add(vectors: Vec<&[f32]>, len: usize) -> Vec<f32> {
    let mut sum = vec![0.0; len];
    sum.par_chunks_mut(ADD_LEN).enumerate().for_each(|(chunk, to)| {
        for (i, to) in to.iter_mut().enumerate() {
            let at = chunk * ADD_LEN + i;
            *to = vectors.iter().map(|vector| f64::from(vector[at])).sum::<f64>() as f32;
        }
    });
    sum
}

/// What all pieces share.
struct Shared<'a> {
    g: &'a Geometry,
    methods: Methods,
    saved: Saved<'a>,
    wanted: Wanted,
    planes: Planes,
    /// Distances of the taps in the packed input.
    offsets: Vec<usize>,
    /// Where the gradient of the convolution's result lies.
    spread: Spread,
    /// The convolution of that gradient which gives the gradient of the input, and the position of
    /// its first tap.
    input_grad: Option<(InputPlan, [usize; 2])>,
}

/// How the gradient of the input is computed.
enum InputPlan {
    Direct(Plan),
    Winograd(winograd::Plan),
}

impl<'a> Shared<'a> {
    fn new(
        isa: Isa,
        (g, methods): (&'a Geometry, Methods),
        saved: Saved<'a>,
        wanted: Wanted,
    ) -> Self {
        let planes = Planes::of_input(g);
        let source = Source {
            in_channels: g.in_channels,
            kernel: g.kernel,
            plane_width: planes.padded()[1],
        };
        let mut shared = Shared {
            g,
            methods,
            saved,
            wanted,
            planes,
            offsets: source.offsets(isa.lanes()),
            spread: Spread { channels: g.out_channels, plane: g.conv, first: [0; 2], step: [1; 2] },
            input_grad: None,
        };
        if wanted.x {
            shared.prepare_input_grad(isa);
        }
        shared
    }

    /// The gradient of the input is the convolution of the output's gradient, with `stride - 1` zeros
    /// between its pixels and a border of `kernel - 1 - padding`, with the kernel turned by 180°. A
    /// negative border cuts pixels off: the first tap then lies inside.
    fn prepare_input_grad(&mut self, isa: Isa) {
        let g = self.g;
        let mut first_tap = [0; 2];
        for axis in 0..2 {
            let (reach, padding) = (g.kernel[axis] - 1, g.padding[axis]);
            self.spread.first[axis] = reach.saturating_sub(padding);
            self.spread.step[axis] = g.stride[axis];
            first_tap[axis] = padding.saturating_sub(reach);
            let last_pixel = self.spread.first[axis] + (g.conv[axis] - 1) * g.stride[axis];
            let last_tap = first_tap[axis] + g.input[axis] + reach;
            self.spread.plane[axis] = last_tap.max(last_pixel + 1);
        }
        let weight = self.saved.weight;
        if let Some(variant) = self.methods.input {
            let plan = winograd::Plan::new(isa, variant, g, weight, true);
            self.input_grad = Some((InputPlan::Winograd(plan), first_tap));
            return;
        }
        let source = Source {
            in_channels: g.out_channels,
            kernel: g.kernel,
            plane_width: self.spread.plane[1],
        };
        let kernel_len = g.kernel[0] * g.kernel[1];
        let plan = Plan::new(isa, &source, g.in_channels, None, |input, tap| {
            let (output, k) = (tap / kernel_len, tap % kernel_len);
            weight[(output * g.in_channels + input) * kernel_len + kernel_len - 1 - k]
        });
        self.input_grad = Some((InputPlan::Direct(plan), first_tap));
    }
}

/// Working memory of one thread.
struct Scratch {
    /// The packed input; its borders stay zero.
    x: Aligned,
    /// The packed gradient of the output.
    grad: Aligned,
    /// The spread gradient of the convolution's result.
    dy: Aligned,
    /// The packed gradient of the upsampled input.
    dx: Aligned,
    /// The packed factors.
    scale: Aligned,
}

impl Scratch {
    fn new(shared: &Shared, lanes: usize) -> Self {
        let (g, wanted) = (shared.g, shared.wanted);
        let if_wanted = |wanted: bool, len: usize| Aligned::any(if wanted { len } else { 0 });
        Scratch {
            x: match wanted.weight {
                true => shared.planes.with_clear_borders(lanes),
                false => Aligned::any(0),
            },
            grad: Aligned::any(g.output_len() * lanes),
            dy: shared.spread.with_clear_gaps(g, lanes),
            dx: if_wanted(wanted.x, g.in_channels * g.input[0] * g.input[1] * lanes),
            scale: Aligned::any(g.out_channels * lanes),
        }
    }
}

/// Gradients of one piece of a batch.
struct Partial {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Some groups of a batch.
struct BackwardPiece<'a> {
    shared: &'a Shared<'a>,
    /// The first image; a multiple of `LANES`.
    first: usize,
    images: usize,
    /// Gradient of the whole batch's output.
    grad: &'a [f32],
    /// This piece of the input's gradient, or nothing.
    dx: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl Task for BackwardPiece<'_> {
    type Output = Partial;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Partial {
        let (shared, scratch, g) = (self.shared, self.scratch, self.shared.g);
        let lanes = S::LANES;
        let mut weight = WeightSum::new(shared, lanes);
        let mut db = Aligned::zeros(g.out_channels * lanes);
        let mut input = match &shared.input_grad {
            Some((InputPlan::Winograd(plan), _)) => Some(InputGradient::new(plan, g.input, lanes)),
            _ => None,
        };
        let code_len = if g.needs_codes() { g.output_len() * lanes } else { 0 };
        for at in (0..self.images).step_by(lanes) {
            let (first, count) = (self.first + at, lanes.min(self.images - at));
            let grad = &self.grad[first * g.output_len()..][..count * g.output_len()];
            let codes = &shared.saved.codes[first / lanes * code_len..][..code_len];
            // SAFETY: `run` is only entered where the processor has `S`.
            unsafe {
                pack::<S>(grad, g.output_len(), &mut scratch.grad);
                if let Some(scale) = shared.saved.scale {
                    let scale = group_scale(g, scale, first, lanes);
                    pack::<S>(scale, g.out_channels, &mut scratch.scale);
                }
                spread::<S>(shared, codes, scratch, &mut db);
                if shared.wanted.weight {
                    let x = &shared.saved.x[first * g.input_len()..][..count * g.input_len()];
                    pack_rows::<S>(x, &shared.planes, &mut scratch.x);
                    weight.add_group::<S>(shared, scratch);
                }
                match &shared.input_grad {
                    Some((InputPlan::Direct(plan), first_tap)) => {
                        let to = &mut self.dx[at * g.input_len()..][..count * g.input_len()];
                        group_input_grad::<S>(shared, plan, *first_tap, scratch, to);
                    }
                    Some((InputPlan::Winograd(_), first_tap)) => {
                        let input = input.as_mut().expect("made above");
                        let last = at + lanes >= self.images;
                        let group = (at / lanes, last);
                        winograd_input_grad::<S>(
                            (shared, *first_tap),
                            input,
                            scratch,
                            group,
                            self.dx,
                        );
                    }
                    None => {}
                }
            }
        }
        // SAFETY: as above.
        unsafe { Partial { weight: weight.finish::<S>(), bias: sum_lanes::<S>(&db) } }
    }
}

/// From the output's gradient to the spread gradient of the convolution, and its sum.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn spread<S: Simd>(shared: &Shared, codes: &[u8], scratch: &mut Scratch, db: &mut [f32]) {
    let (g, lanes) = (shared.g, S::LANES);
    let plane = g.output[0] * g.output[1] * lanes;
    if !g.pool_tiles() {
        // Shares are added up, so the pixels have to start from zero in every group.
        scratch.dy.fill(0.0);
    }
    for channel in 0..g.out_channels {
        let outputs = Outputs {
            spread: &shared.spread,
            channel,
            grad: &scratch.grad[channel * plane..][..plane],
            codes: g.needs_codes().then(|| &codes[channel * plane..][..plane]),
            scale: shared.saved.scale.map(|_| &scratch.scale[channel * lanes..][..lanes]),
        };
        let db = &mut db[channel * lanes..][..lanes];
        // SAFETY: the caller's promise.
        unsafe { unpool::<S>(g, &outputs, &mut scratch.dy, db) };
    }
}
