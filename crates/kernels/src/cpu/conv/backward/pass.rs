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
    /// Some methods compute it anyway.
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
    /// The convolution of that gradient which gives the gradient of the input, and the position of
    /// the first input of its first result.
    pub input_grad: Option<(InputKernels, [usize; 2])>,
}

/// How the gradient of the input is computed.
pub(super) enum InputKernels {
    Direct(PackedKernels),
    Winograd(TransformedKernels),
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
            spread: Spread { channels: g.out_channels, plane: g.conv, first: [0; 2], step: [1; 2] },
            input_grad: None,
        };
        if wanted.x {
            pass.prepare_input_grad(isa);
        }
        pass
    }

    /// The gradient of the input is the convolution of the output's gradient, with `stride - 1` zeros
    /// between its pixels and a border of `kernel - 1 - padding`, with the kernel turned by 180°. A
    /// negative border cuts pixels off: the first input then lies inside.
    fn prepare_input_grad(&mut self, isa: Isa) {
        let g = self.g;
        let mut origin = [0; 2];
        for axis in 0..2 {
            let (reach, padding) = (g.kernel[axis] - 1, g.padding[axis]);
            self.spread.first[axis] = reach.saturating_sub(padding);
            self.spread.step[axis] = g.stride[axis];
            origin[axis] = padding.saturating_sub(reach);
            let last_pixel = self.spread.first[axis] + (g.conv[axis] - 1) * g.stride[axis];
            let last_read = origin[axis] + g.upsampled[axis] + reach;
            self.spread.plane[axis] = last_read.max(last_pixel + 1);
        }
        let weight = self.saved.weight;
        if let Some(variant) = self.methods.input {
            let kernels = TransformedKernels::new(isa, variant, g, weight, true);
            self.input_grad = Some((InputKernels::Winograd(kernels), origin));
            return;
        }
        let layout = InputLayout {
            in_channels: g.out_channels,
            kernel: g.kernel,
            plane_width: self.spread.plane[1],
        };
        let kernel_len = g.kernel[0] * g.kernel[1];
        let kernels = PackedKernels::new(isa, &layout, g.in_channels, None, |input, offset| {
            let (output, k) = (offset / kernel_len, offset % kernel_len);
            weight[(output * g.in_channels + input) * kernel_len + kernel_len - 1 - k]
        });
        self.input_grad = Some((InputKernels::Direct(kernels), origin));
    }
}

/// Working memory of one thread.
pub(super) struct Scratch {
    /// The packed input; its borders stay zero.
    pub x: Aligned,
    /// The packed gradient of the output.
    pub grad: Aligned,
    /// The spread gradient of the convolution's result.
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
            grad: Aligned::any(g.output_len() * lanes),
            dy: pass.spread.with_clear_gaps(g, lanes),
            dx: if_wanted(wanted.x, g.in_channels * g.upsampled[0] * g.upsampled[1] * lanes),
            scale: Aligned::any(g.out_channels * lanes),
        }
    }
}
