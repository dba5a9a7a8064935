//! Which method is the fastest for a block.

use std::sync::OnceLock;

use super::planes;
use super::winograd::Variant;
use crate::cpu::layout::Geometry;

/// How a block's convolution and its gradients are computed; `None` is the direct way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Methods {
    pub forward: Option<Variant>,
    pub input: Option<Variant>,
    pub weight: Option<Variant>,
}

/// What Winograd's method costs beside its products, in the time of a multiply-add of vectors. The
/// numbers were fitted to times on Zen 3 (AVX2) of layers from 10 → 20 channels at 24 × 24 pixels to
/// 512 → 512 at 4 × 4; they name the faster method of all those whose times differ by a tenth.
struct Overhead {
    /// For every element of a transformed tile.
    tile: usize,
    /// For every element of a transformed kernel, however many images there are.
    kernel: usize,
}

/// That of the results, for both.
pub(crate) const TRANSFORM: usize = 14;

const RESULTS: Overhead = Overhead { tile: TRANSFORM, kernel: TRANSFORM };
const WEIGHT_GRADIENT: Overhead = Overhead { tile: 30, kernel: 30 };

impl Methods {
    /// The fastest methods, for vectors of `lanes` images.
    pub(crate) fn of(g: &Geometry, lanes: usize) -> Self {
        match direct_is_wanted() {
            true => Methods::default(),
            false => Self::fastest(g, lanes),
        }
    }

    /// Whether the images are so few that a forward pass by im2col takes less time than by the method
    /// of [`of`](Methods::of).
    pub(crate) fn im2col_is_faster(g: &Geometry, lanes: usize) -> bool {
        !direct_is_wanted() && im2col_is_faster(g, lanes)
    }

    /// Whether products of matrices compute a convolution of 1 × 1 faster.
    pub(crate) fn planes_are_faster(g: &Geometry, lanes: usize) -> bool {
        !direct_is_wanted() && planes::covers(g) && planes_are_faster(g, lanes)
    }

    fn fastest(g: &Geometry, lanes: usize) -> Self {
        let sizes = Sizes::of(g);
        Methods {
            forward: fastest(&sizes, g.conv, lanes, RESULTS).0,
            input: fastest(&sizes, g.upsampled, lanes, RESULTS).0,
            weight: fastest(&sizes, g.conv, lanes, WEIGHT_GRADIENT).0,
        }
    }
}

/// Whether the environment asks for the direct way.
pub(crate) fn direct_is_wanted() -> bool {
    static DIRECT: OnceLock<bool> = OnceLock::new();
    let wanted =
        || std::env::var("SELVEDGE_CONV").is_ok_and(|name| name.eq_ignore_ascii_case("direct"));
    *DIRECT.get_or_init(wanted)
}

/// What an element of im2col's matrix costs beside its products, in the time of one of the direct
/// way's. Measured on Zen 3, as what follows, by the benchmark `few_speed`.
const IM2COL_ELEMENT: usize = 10;

/// What a product with such an element costs, in percent of one of the direct way's.
const IM2COL_PRODUCT: usize = 120;

fn im2col_is_faster(g: &Geometry, lanes: usize) -> bool {
    let elements = g.batch * g.conv[0] * g.conv[1] * g.fan_in();
    let im2col = elements * (IM2COL_ELEMENT + g.out_channels * IM2COL_PRODUCT / 100) / lanes;
    (im2col as u64) < Sizes::of(g).cost(g.conv, lanes)
}

/// What it costs to interleave a pixel of the input or to separate one of the output, in the time of a multiply-add of
/// vectors: about what an element of a transformed tile does ([`RESULTS`]). It was not fitted by itself.
const INTERLEAVE: usize = 12;

fn planes_are_faster(g: &Geometry, lanes: usize) -> bool {
    let (pixels, pairs) = (g.conv[0] * g.conv[1], g.in_channels * g.out_channels);
    let planes = g.batch * pixels.div_ceil(lanes) * pairs;
    let interleaved = pairs + INTERLEAVE * (g.in_channels + g.out_channels);
    planes < g.batch.div_ceil(lanes) * pixels * interleaved
}

/// The sizes of a convolution that its cost depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub batch: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
}

impl Sizes {
    fn of(g: &Geometry) -> Self {
        let Geometry { batch, in_channels, out_channels, kernel, stride, .. } = *g;
        Sizes { batch, in_channels, out_channels, kernel, stride }
    }

    /// What the fastest method costs for results of that size, in the time of a multiply-add of vectors.
    pub(crate) fn cost(&self, size: [usize; 2], lanes: usize) -> u64 {
        fastest(self, size, lanes, RESULTS).1
    }
}

/// The method for results of that size, and what it costs.
fn fastest(
    g: &Sizes,
    size: [usize; 2],
    lanes: usize,
    overhead: Overhead,
) -> (Option<Variant>, u64) {
    let variants: &[Variant] = match (g.kernel, g.stride) {
        ([3, 3], [1, 1]) => &[Variant::F2x3, Variant::F4x3],
        ([5, 5], [1, 1]) => &[Variant::F2x5, Variant::F4x5],
        _ => &[],
    };
    // As long numbers also where addresses are short.
    let long = |n: usize| n as u64;
    let groups = long(g.batch.div_ceil(lanes));
    let pairs = long(g.in_channels) * long(g.out_channels);
    let direct = [size[0], size[1], g.kernel[0], g.kernel[1]].map(long).iter().product::<u64>();
    let direct = groups * direct * pairs;
    let cost = |variant: &Variant| {
        let [rows, columns] = variant.tiles(size).map(long);
        let [tile, kernel] = [overhead.tile, overhead.kernel].map(|n| variant.transform_cost(n));
        let transforms = long(tile * (g.in_channels + g.out_channels));
        let tiles = groups * rows * columns;
        long(variant.positions()) * (tiles * (pairs + transforms) + long(kernel) * pairs)
    };
    let by_variants = variants.iter().map(|variant| (Some(*variant), cost(variant)));
    // The first of equals: the direct way.
    let all = std::iter::once((None, direct)).chain(by_variants);
    all.min_by_key(|(_, cost)| *cost).expect("there is the direct way")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::ConvBlockOptions;

    fn geometry(x: [usize; 4], out: usize, kernel: usize, stride: usize) -> Geometry {
        let options = ConvBlockOptions {
            padding: [kernel / 2; 2],
            stride: [stride; 2],
            ..Default::default()
        };
        Geometry::new(x, [out, x[1], kernel, kernel], &options)
    }

    fn methods(x: [usize; 4], out: usize, kernel: usize, stride: usize) -> Methods {
        Methods::fastest(&geometry(x, out, kernel, stride), 8)
    }

    #[test]
    fn im2col_is_for_so_few_images_that_they_were_measured_to_be_faster() {
        let faster = |batch, [channels, out, side, kernel, stride]: [usize; 5]| {
            im2col_is_faster(&geometry([batch, channels, side, side], out, kernel, stride), 8)
        };
        let layers = [[10, 20, 14, 3, 1], [64, 64, 32, 3, 1], [64, 128, 32, 1, 2]];
        for layer in layers {
            assert!(faster(1, layer) && faster(2, layer), "{layer:?}");
            assert!(!faster(8, layer) && !faster(64, layer), "{layer:?}");
        }
        // Where Winograd's method saves most of the products, four of eight lanes are enough for it.
        assert!(!faster(4, [64, 64, 32, 3, 1]) && faster(4, [64, 128, 32, 3, 2]));
        // An empty batch is left to the others.
        assert!(!faster(0, [10, 20, 14, 3, 1]));
    }

    #[test]
    fn planes_are_for_kernels_of_one_pixel_with_many_pixels_or_few_images() {
        let is_faster = |batch, [channels, out, side]: [usize; 3]| {
            let g = geometry([batch, channels, side, side], out, 1, 1);
            assert!(planes::covers(&g));
            planes_are_faster(&g, 16)
        };
        assert!(is_faster(16, [16, 96, 112]) && is_faster(64, [24, 144, 24]));
        assert!(is_faster(1, [192, 1152, 7]) && is_faster(1, [320, 1280, 1]));
        // 49 pixels leave a quarter of four vectors empty.
        assert!(!is_faster(16, [192, 1152, 7]));
        let pool = Some(crate::ops::PoolOptions::tiles(2));
        for options in [
            ConvBlockOptions { pool, ..Default::default() },
            ConvBlockOptions { stride: [2, 1], ..Default::default() },
            ConvBlockOptions { padding: [0, 1], ..Default::default() },
            ConvBlockOptions { upsample: [1, 2], ..Default::default() },
        ] {
            assert!(!planes::covers(&Geometry::new([2, 3, 8, 8], [4, 3, 1, 1], &options)));
        }
        assert!(!planes::covers(&geometry([0, 3, 8, 8], 4, 1, 1)));
    }

    #[test]
    fn methods_are_those_that_were_measured_to_be_the_fastest() {
        use Variant::{F2x3, F2x5, F4x3, F4x5};
        let all = |variant| Methods { forward: variant, input: variant, weight: variant };
        assert_eq!(methods([128, 1, 28, 28], 10, 3, 1), all(None));
        assert_eq!(methods([64, 64, 32, 32], 64, 3, 1), all(Some(F4x3)));
        assert_eq!(methods([64, 256, 8, 8], 256, 3, 1), all(Some(F4x3)));
        // So few pixels that the larger kernel transforms are not worth it.
        assert_eq!(methods([64, 512, 4, 4], 512, 3, 1), all(Some(F2x3)));
        assert_eq!(methods([64, 32, 28, 28], 64, 5, 1), all(Some(F4x5)));
        // Of tiles of 4 × 4 three quarters would be computed for nothing.
        assert_eq!(methods([256, 32, 2, 2], 64, 5, 1).forward, Some(F2x5));
        assert_eq!(methods([64, 64, 32, 32], 128, 3, 2), all(None));
        assert_eq!(methods([64, 64, 32, 32], 128, 1, 1), all(None));
        // The products of two transforms pay later than those of one.
        let small = methods([256, 20, 14, 14], 40, 3, 1);
        assert_eq!((small.forward, small.weight), (Some(F4x3), None));
    }
}
