//! Where Winograd's method pays, and kernels that are transformed once.

use super::geometry::{Geometry, Panel, Weight};
use crate::cpu::conv::transform::kernels;
use crate::cpu::conv::{TRANSFORM, Variant};
use crate::cpu::memory::Held;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// What results of that size cost an image, in the time of a multiply-add of vectors.
pub(super) fn cost(variant: Variant, g: &Geometry, size: [usize; 2], lanes: usize) -> u64 {
    let [inputs, outputs] = g.channels.map(|channels| channels.next_multiple_of(lanes));
    let tile = inputs * outputs + variant.transform_cost(TRANSFORM) * (inputs + outputs);
    products(variant, size) * (tile / lanes) as u64
}

/// Products of a pair of channels.
fn products(variant: Variant, size: [usize; 2]) -> u64 {
    (variant.positions() * variant.tiles(size).iter().product::<usize>()) as u64
}

/// The variant that takes the least time for an image of that size, if one takes less than the direct way.
pub(super) fn fastest(g: &Geometry, size: [usize; 2], lanes: usize) -> Option<Variant> {
    let variants: &[Variant] = match (g.kernel, g.stride, g.dilation, g.groups) {
        ([3, 3], [1, 1], 1, 1) => &[Variant::F2x3, Variant::F4x3],
        ([5, 5], [1, 1], 1, 1) => &[Variant::F2x5, Variant::F4x5],
        _ => return None,
    };
    if g.lanes != lanes {
        return None;
    }
    let [inputs, outputs] = g.channels.map(|channels| channels.next_multiple_of(lanes));
    let pairs = (inputs * outputs) as u64;
    // To read a weight takes time, too: more where they lie beyond the second-level cache. The choice is that for one
    // image, so that the bits of an output do not depend on the batch.
    let read = |weights: usize| {
        let weights = weights as u64 * pairs;
        let is_large = weights > (1 << 20) / size_of::<f32>() as u64;
        weights * if is_large { 12 } else { 2 }
    };
    let kernel = g.kernel[0] * g.kernel[1];
    let direct = (kernel * size[0] * size[1]) as u64 * pairs + read(kernel);
    let by_variant = |variant: &Variant| {
        let transforms = (variant.transform_cost(TRANSFORM) * (inputs + outputs)) as u64;
        products(*variant, size) * (pairs + transforms) + read(variant.positions())
    };
    let best = variants.iter().min_by_key(|variant| by_variant(variant))?;
    (by_variant(best) < direct).then_some(*best)
}

/// The weights of a convolution, transformed.
pub(super) struct Kernels {
    pub variant: Variant,
    /// Panel by panel and position by position, in the order of the input channels.
    pub values: Held,
    /// What sums begin with.
    pub zeros: Held,
}

impl Kernels {
    pub fn new(isa: Isa, variant: Variant, g: &Geometry, panels: &[Panel], weight: Weight) -> Self {
        let lanes = isa.lanes();
        let [inputs, outputs] = g.channels;
        let blocks = inputs.div_ceil(lanes);
        let panel_len =
            |panel: &Panel| variant.positions() * blocks * lanes * panel.vectors * lanes;
        let mut values = Held::zeros(panels.iter().map(panel_len).sum());
        let mut rest = &mut values[..];
        let tasks = panels.iter().map(|panel| {
            let (to, others) = std::mem::take(&mut rest).split_at_mut(panel_len(panel));
            rest = others;
            Pack { to, panel, inputs, outputs, weight }
        });
        threads::each(tasks.collect(), |task| match variant {
            Variant::F2x3 => isa.run(PackAs::<3, 4>(task)),
            Variant::F4x3 => isa.run(PackAs::<3, 6>(task)),
            Variant::F2x5 => isa.run(PackAs::<5, 6>(task)),
            Variant::F4x5 => isa.run(PackAs::<5, 8>(task)),
        });
        Kernels { variant, values, zeros: Held::zeros(isa.block_vectors() * lanes) }
    }

    pub fn bytes(&self) -> usize {
        size_of_val::<[f32]>(&self.values)
    }
}

/// Transforms the kernels of a panel.
struct Pack<'a> {
    to: &'a mut [f32],
    panel: &'a Panel,
    inputs: usize,
    outputs: usize,
    weight: Weight<'a>,
}

struct PackAs<'a, const R: usize, const T: usize>(Pack<'a>);

impl<const R: usize, const T: usize> Task for PackAs<'_, R, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Pack { to, panel, inputs, outputs, weight } = self.0;
        let row = panel.vectors * S::LANES;
        let position = inputs.next_multiple_of(S::LANES) * row;
        for channel in 0..inputs {
            for v in 0..panel.vectors {
                // The same weight of `LANES` kernels in one vector.
                let mut weights = [[[0.0_f32; 16]; R]; R];
                for lane in 0..S::LANES {
                    let out = (panel.block + v) * S::LANES + lane;
                    if out < outputs {
                        for i in 0..R * R {
                            let term = channel * R * R + i;
                            let at = out * weight.step[0] + term * weight.step[1];
                            weights[i / R][i % R][lane] = weight.values[at];
                        }
                    }
                }
                // SAFETY: no vector is longer than 16 elements, and `to` has room for every position.
                unsafe {
                    let transformed = kernels::<S, R, T>(&weights);
                    for i in 0..T * T {
                        let at = i * position + channel * row + v * S::LANES;
                        let to = to[at..][..S::LANES].as_mut_ptr();
                        S::store(to, transformed[i / T][i % T]);
                    }
                }
            }
        }
    }
}
