//! Convolutions, and linear layers as convolutions whose kernel is the whole image.

mod block;
mod direct;
mod geometry;
mod kernels;
mod winograd;

use direct::Direct;
use geometry::Panel;
pub(super) use geometry::{Geometry, Weight};
use kernels::{Kernels, cost, fastest};
use winograd::Winograd;

use super::planes::{Planes, frame};
use super::step::{Images, NO_LIMITS, Work};
use crate::cpu::conv::{Sizes, Variant, direct_is_wanted};
use crate::cpu::memory::Held;
use crate::cpu::simd::Isa;
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Images that are many, in vectors.
const MANY: usize = 8;

/// A convolution with its weights in the order in which they are read.
pub(in crate::cpu::inference) struct Conv {
    pub geometry: Geometry,
    /// Output channels that are computed together.
    panels: Vec<Panel>,
    weights: Weights,
    bias: Held,
    /// Between which the results are held: an activation.
    pub limits: [f32; 2],
    /// Which pixels of an image the results are.
    pub spread: Spread,
}

/// Every so many pixels of an image in both directions, from this row and column on.
#[derive(Clone, Copy)]
pub(in crate::cpu::inference) struct Spread {
    pub scale: usize,
    pub first: [usize; 2],
}

/// All of them.
const EVERY: Spread = Spread { scale: 1, first: [0, 0] };

/// The output channels of a convolution in panels, and the elements of their weights.
fn panels(isa: Isa, g: &Geometry) -> (Vec<Panel>, usize) {
    let lanes = isa.lanes();
    let group_out = g.channels[1] / g.groups;
    let mut panels = Vec::new();
    let mut len = 0;
    for group in 0..g.groups {
        let first = group * group_out / lanes;
        for (block, vectors) in even_pieces(group_out.div_ceil(lanes), isa.block_vectors()) {
            let input = group * g.group_blocks();
            let chunks = g.chunks(vectors, lanes);
            let terms: usize = chunks.iter().map(|chunk| g.terms(chunk).len()).sum();
            panels.push(Panel { block: first + block, vectors, input, weights: len, chunks });
            len += terms * vectors * lanes;
        }
    }
    (panels, len)
}

/// The weights of all panels, one behind the other.
fn packed(isa: Isa, g: &Geometry, panels: &[Panel], len: usize, weight: Weight) -> Held {
    let mut packed = Held::zeros(len);
    let mut rest = &mut packed[..];
    let ends = panels.iter().skip(1).map(|panel| panel.weights).chain([len]);
    let pieces = panels.iter().zip(ends).map(|(panel, end)| {
        let (piece, others) = std::mem::take(&mut rest).split_at_mut(end - panel.weights);
        rest = others;
        (panel, piece)
    });
    let lanes = isa.lanes();
    threads::each(pieces.collect(), |(panel, piece)| panel.pack(g, lanes, weight, piece));
    packed
}

/// A value a channel, and zeros up to the end of the last vector.
pub(super) fn per_channel(lanes: usize, channels: usize, values: Option<&[f32]>) -> Held {
    let mut filled = Held::zeros(channels.next_multiple_of(lanes));
    if let Some(values) = values {
        filled[..channels].copy_from_slice(values);
    }
    filled
}

/// Weights by the way in which the convolution is computed.
enum Weights {
    /// Panel by panel, in the order of the terms: a value of each of its output channels.
    Direct(Held),
    Winograd(Kernels),
}

impl Conv {
    /// Packs the weight of a convolution whose results are of that height and width.
    pub fn new(
        isa: Isa,
        geometry: Geometry,
        size: [usize; 2],
        weight: Weight,
        bias: Option<&[f32]>,
    ) -> Self {
        let variant = fastest(&geometry, size, isa.lanes()).filter(|_| !direct_is_wanted());
        Self::by(variant, isa, geometry, weight, bias)
    }

    /// The same, computed by its definition, whatever is faster.
    pub fn direct(isa: Isa, geometry: Geometry, weight: Weight, bias: Option<&[f32]>) -> Self {
        Self::by(None, isa, geometry, weight, bias)
    }

    fn by(
        variant: Option<Variant>,
        isa: Isa,
        geometry: Geometry,
        weight: Weight,
        bias: Option<&[f32]>,
    ) -> Self {
        let g = &geometry;
        let (panels, len) = panels(isa, g);
        let weights = match variant {
            Some(variant) => Weights::Winograd(Kernels::new(isa, variant, g, &panels, weight)),
            None => Weights::Direct(packed(isa, g, &panels, len, weight)),
        };
        let bias = per_channel(isa.lanes(), g.channels[1], bias);
        Conv { geometry, panels, weights, bias, limits: NO_LIMITS, spread: EVERY }
    }

    /// What results of that size cost an image: here, and with many images interleaved, in the time of a multiply-add of
    /// vectors.
    pub fn costs(&self, size: [usize; 2], lanes: usize) -> [u64; 2] {
        let Geometry { channels, kernel, stride, groups, .. } = self.geometry;
        let [in_channels, out_channels] = channels.map(|channels| channels / groups);
        let here = match &self.weights {
            Weights::Direct(weights) => (size[0] * size[1]) as u64 * (weights.len() / lanes) as u64,
            Weights::Winograd(kernels) => cost(kernels.variant, &self.geometry, size, lanes),
        };
        let sizes = Sizes { batch: MANY * lanes, in_channels, out_channels, kernel, stride };
        [here, groups as u64 * sizes.cost(size, lanes) / sizes.batch as u64]
    }

    /// The rows above and below, the columns to the left and to the right that it reads around an image of `x` for one of
    /// `y`.
    pub fn frame(&self, x: &Planes, y: &Planes) -> [usize; 4] {
        let g = &self.geometry;
        let [x, y] = [x, y].map(|planes| [planes.shape[1], planes.shape[2]]);
        let y = match &self.weights {
            Weights::Direct(_) => y,
            // Whole tiles.
            Weights::Winograd(kernels) => {
                y.map(|side| side.next_multiple_of(kernels.variant.results()))
            }
        };
        frame(x, y, g.kernel, g.stride, g.dilation, g.padding)
    }

    /// Computes images from `x`, plus `other` where there is one.
    pub fn run(
        &self,
        work: Work,
        x: Images<*const f32>,
        other: Option<Images<*const f32>>,
        y: Images<*mut f32>,
    ) {
        let weights = match &self.weights {
            Weights::Direct(weights) => weights,
            Weights::Winograd(kernels) => {
                debug_assert_eq!(self.spread.scale, 1, "tiles are neighbours");
                let Conv { geometry, panels, bias, limits, .. } = self;
                let limits = *limits;
                let winograd = Winograd { kernels, geometry, panels, bias, limits, x, other, y };
                return winograd.run(work);
            }
        };
        debug_assert!(self.spread.scale == 1 || other.is_none(), "`other` has every pixel");
        Direct { conv: self, weights, x, other, y }.run(work);
    }

    /// Bytes of its weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.weights {
            Weights::Direct(weights) => size_of_val::<[f32]>(weights),
            Weights::Winograd(kernels) => kernels.bytes(),
        }
    }

    /// Whether it is one of single pixels.
    pub fn is_pointwise(&self) -> bool {
        let Geometry { kernel, stride, padding, groups, .. } = self.geometry;
        self.is_direct() && [kernel, stride] == [[1; 2]; 2] && padding == [0; 2] && groups == 1
    }

    /// Whether it is computed by its definition.
    pub fn is_direct(&self) -> bool {
        matches!(self.weights, Weights::Direct(_))
    }

    pub fn has_no_limits(&self) -> bool {
        self.limits == NO_LIMITS
    }
}
