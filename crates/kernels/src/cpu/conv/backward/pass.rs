//! What the backward pass of a batch is given, and what all its pieces share.

use crate::cpu::conv::method::Methods;
use crate::cpu::conv::microkernel::{InputLayout, PackedKernels};
use crate::cpu::conv::winograd::TransformedKernels;
use crate::cpu::layout::{Geometry, InputPlanes, Spread};
use crate::cpu::memory::{Aligned, Recycled};
use crate::cpu::simd::Isa;

/// What the backward pass starts from.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub scale: Option<&'a [f32]>,
    /// As [`forward`](crate::cpu::conv::forward) returned it.
    pub argmax: &'a [u8],
}

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub x: bool,
    pub weight: bool,
    /// Products of planes compute it anyway.
    pub bias: bool,
}

/// Gradients in the layouts of their tensors; `x` and `weight` are empty if they were not wanted, `bias` may be.
pub(crate) struct Gradients {
    pub x: Recycled,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// What all pieces share.
pub(super) struct BackwardPass<'a> {
    pub g: &'a Geometry,
    pub methods: Methods,
    pub saved: Saved<'a>,
    pub wanted: Wanted,
    pub planes: InputPlanes,
    /// The kernel offsets in the packed input.
    pub offsets: Vec<usize>,
    /// Where the gradient of the convolution's result lies.
    pub spread: Spread,
    /// How the gradient of the input is made of that.
    pub input_grad: Option<InputKernels>,
}

/// How the gradient of the input is computed.
pub(super) enum InputKernels {
    /// One convolution, or several of a stride.
    Direct(Vec<Phase>),
    /// Its kernels, and the position of the first gradient that the first result depends on.
    Winograd(TransformedKernels, [usize; 2]),
}

/// The inputs at a distance of a stride from each other: each depends on the same weights, and on neighbouring
/// gradients.
pub(super) struct Phase {
    pub kernels: PackedKernels,
    pub rows: Side,
    pub columns: Side,
}

/// One axis of a [`Phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// The first input, and the number of them.
    pub first: usize,
    pub count: usize,
    /// The first of the weights that they depend on, a stride away from each other, and how many there are.
    tap: usize,
    pub taps: usize,
    /// The gradient that reaches the first input by the first of them: the others reach it from those before.
    last: usize,
}

impl Side {
    /// Those of an axis: for each rest of the division by the stride that an input has.
    ///
    /// With stride s and padding p, input i is the sum over t of weight φ + s t times gradient q − t, where q and φ
    /// are quotient and rest of the division of i + p by s.
    fn all(g: &Geometry, axis: usize) -> Vec<Side> {
        let (stride, padding, inputs) = (g.stride[axis], g.padding[axis], g.upsampled[axis]);
        let side = |first: usize| {
            let tap = (first + padding) % stride;
            Side {
                first,
                count: (inputs - first).div_ceil(stride),
                tap,
                taps: g.kernel[axis].saturating_sub(tap).div_ceil(stride),
                last: (first + padding) / stride,
            }
        };
        (0..stride.min(inputs)).map(side).collect()
    }

    /// Rows or columns of the border in front of the gradients that are read.
    fn before(&self) -> usize {
        (self.taps.max(1) - 1).saturating_sub(self.last)
    }

    /// Where the first gradient that is read lies behind a border of so many.
    pub fn origin(&self, border: usize) -> usize {
        border + self.last + 1 - self.taps.max(1)
    }
}

impl<'a> BackwardPass<'a> {
    pub(super) fn new(
        isa: Isa,
        (g, methods): (&'a Geometry, Methods),
        saved: Saved<'a>,
        wanted: Wanted,
    ) -> Self {
        let planes = InputPlanes::of_input(g);
        let layout = InputLayout {
            in_channels: g.in_channels,
            kernel: g.kernel,
            plane_width: planes.padded()[1],
        };
        let mut pass = BackwardPass {
            g,
            methods,
            saved,
            wanted,
            planes,
            offsets: layout.offsets(isa.lanes()),
            spread: Spread { channels: g.out_channels, plane: g.conv, first: [0; 2] },
            input_grad: None,
        };
        if wanted.x {
            pass.prepare_input_grad(isa);
        }
        pass
    }

    /// Whether the gradient of the outputs is that of the convolution's results.
    pub(super) fn is_plain(&self) -> bool {
        self.g.is_plain() && self.saved.scale.is_none()
    }

    /// The gradient of the input is the convolution of the output's gradient with the kernel turned by 180°; with a
    /// stride, several convolutions, each with a part of the kernel. The border is as wide as they need it. Where it
    /// would have to be negative, the first gradient that is read lies inside.
    fn prepare_input_grad(&mut self, isa: Isa) {
        let g = self.g;
        let sides = [0, 1].map(|axis| Side::all(g, axis));
        for axis in 0..2 {
            let before = sides[axis].iter().map(Side::before).max().unwrap_or(0);
            let behind = |side: &Side| side.origin(before) + side.count + side.taps.max(1) - 1;
            let read = sides[axis].iter().map(behind).max().unwrap_or(0);
            self.spread.first[axis] = before;
            self.spread.plane[axis] = read.max(before + g.conv[axis]);
        }
        let border = self.spread.first;
        let weight = self.saved.weight;
        if let Some(variant) = self.methods.input {
            let kernels = TransformedKernels::new(isa, variant, g, weight, true);
            // Its stride is 1, so there is one side of each axis.
            let origin = [0, 1].map(|axis| sides[axis][0].origin(border[axis]));
            self.input_grad = Some(InputKernels::Winograd(kernels, origin));
            return;
        }
        let [rows, columns] = &sides;
        let phases =
            rows.iter().flat_map(|rows| columns.iter().map(move |columns| (*rows, *columns)));
        let phase = |(rows, columns): (Side, Side)| {
            let layout = InputLayout {
                in_channels: g.out_channels,
                kernel: [rows.taps, columns.taps],
                plane_width: self.spread.plane[1],
            };
            let taps = rows.taps * columns.taps;
            let kernels = PackedKernels::new(isa, &layout, g.in_channels, None, |input, offset| {
                let (output, k) = (offset / taps, taps - 1 - offset % taps);
                let ky = rows.tap + g.stride[0] * (k / columns.taps);
                let kx = columns.tap + g.stride[1] * (k % columns.taps);
                weight[((output * g.in_channels + input) * g.kernel[0] + ky) * g.kernel[1] + kx]
            });
            Phase { kernels, rows, columns }
        };
        self.input_grad = Some(InputKernels::Direct(phases.map(phase).collect()));
    }
}

/// Working memory of one thread.
pub(super) struct Scratch {
    /// The packed input; its borders stay zero.
    pub x: Aligned,
    /// The packed gradient of the output, unless it is that of the convolution's result.
    pub grad: Aligned,
    /// The gradient of the convolution's result.
    pub dy: Aligned,
    /// The packed gradient of the upsampled input.
    pub dx: Aligned,
    /// The packed factors.
    pub scale: Aligned,
}

impl Scratch {
    pub(super) fn new(pass: &BackwardPass, lanes: usize) -> Self {
        let (g, wanted) = (pass.g, pass.wanted);
        let if_wanted = |wanted: bool, len: usize| Aligned::any(if wanted { len } else { 0 });
        Scratch {
            x: match wanted.weight {
                true => pass.planes.with_clear_borders(lanes),
                false => Aligned::any(0),
            },
            grad: if_wanted(!pass.is_plain(), g.output_len() * lanes),
            dy: pass.spread.with_clear_border(g, lanes),
            dx: if_wanted(wanted.x, g.in_channels * g.upsampled[0] * g.upsampled[1] * lanes),
            scale: Aligned::any(g.out_channels * lanes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::ConvBlockOptions;

    /// For each input of an axis, the pairs of weight and gradient that reach it.
    fn pairs(g: &Geometry, sides: &[Side]) -> Vec<Vec<(usize, usize)>> {
        let mut found = vec![Vec::new(); g.upsampled[0]];
        for side in sides {
            for at in 0..side.count {
                let input = &mut found[side.first + at * g.stride[0]];
                for t in 0..side.taps {
                    let gradient = (side.last + at).checked_sub(t).filter(|o| *o < g.conv[0]);
                    input.extend(gradient.map(|o| (side.tap + t * g.stride[0], o)));
                }
            }
        }
        found
    }

    #[test]
    fn every_weight_and_gradient_reach_the_inputs_that_they_came_from() {
        for (size, kernel, stride, padding) in [
            (8, 3, 1, 1),
            (8, 3, 2, 1),
            (9, 3, 2, 0),
            (7, 1, 2, 0),
            (7, 2, 3, 1),
            (11, 5, 2, 4),
            (224, 7, 2, 3),
            (5, 5, 4, 0),
            (3, 2, 1 << 40, 1),
        ] {
            let options = ConvBlockOptions {
                stride: [stride, 1],
                padding: [padding, 0],
                ..Default::default()
            };
            let g = Geometry::new([1, 1, size, 1], [1, 1, kernel, 1], &options);
            let sides = Side::all(&g, 0);
            assert!(sides.len() == stride.min(size) && sides.iter().all(|side| side.count > 0));
            let mut expected = vec![Vec::new(); size];
            for o in 0..g.conv[0] {
                for k in 0..kernel {
                    // Gradients before and behind the inputs reach none of them.
                    let input = (o * stride + k).checked_sub(padding).filter(|i| *i < size);
                    input.into_iter().for_each(|i| expected[i].push((k, o)));
                }
            }
            let mut found = pairs(&g, &sides);
            found.iter_mut().chain(&mut expected).for_each(|pairs| pairs.sort());
            assert_eq!(found, expected, "{size}, kernel {kernel}, stride {stride}");
        }
    }
}
