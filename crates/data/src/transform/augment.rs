use serde::{Deserialize, Serialize};

use super::affine::rotate;
use super::{Affine, ColorOp, ImageRef, Interpolation, Transform, require, require_gray_or_color};
use crate::{DataError, SplitMix64};

/// The operations of [`RandAugment`] and [`TrivialAugmentWide`], in torchvision's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

pub(super) const OPS: [Op; 14] = [
    Op::Identity,
    Op::ShearX,
    Op::ShearY,
    Op::TranslateX,
    Op::TranslateY,
    Op::Rotate,
    Op::Brightness,
    Op::Color,
    Op::Contrast,
    Op::Sharpness,
    Op::Posterize,
    Op::Solarize,
    Op::AutoContrast,
    Op::Equalize,
];

/// How far an image is moved at most.
enum Translate {
    /// A share of its side.
    Share(f64),
    Pixels(f64),
}

/// The greatest magnitudes of a set of operations.
pub(super) struct Space {
    shear: f64,
    translate: Translate,
    rotate: f64,
    color: f64,
    /// How many bits are lost.
    posterize: f64,
}

pub(super) const RAND_AUGMENT: Space = Space {
    shear: 0.3,
    translate: Translate::Share(150.0 / 331.0),
    rotate: 30.0,
    color: 0.9,
    posterize: 4.0,
};

pub(super) const TRIVIAL_AUGMENT_WIDE: Space = Space {
    shear: 0.99,
    translate: Translate::Pixels(32.0),
    rotate: 135.0,
    color: 0.99,
    posterize: 6.0,
};

impl Space {
    /// What an operation does at a magnitude of `bins`, counted from 0, to an image of a height and a width;
    /// and whether it may go either way. Computed in f32, as torch's `linspace` does.
    pub(super) fn magnitude(
        &self,
        op: Op,
        bin: usize,
        bins: usize,
        [height, width]: [usize; 2],
    ) -> (f64, bool) {
        let linspace = |start: f64, end: f64| {
            let (start, end) = (start as f32, end as f32);
            let step = if bins > 1 { (end - start) / (bins - 1) as f32 } else { 0.0 };
            let value = match bin < bins / 2 || bins == 1 {
                true => start + step * bin as f32,
                false => end - step * (bins - 1 - bin) as f32,
            };
            f64::from(value)
        };
        let translate = |side: usize| match self.translate {
            Translate::Share(share) => linspace(0.0, share * side as f64),
            Translate::Pixels(pixels) => linspace(0.0, pixels),
        };
        match op {
            Op::Identity | Op::AutoContrast | Op::Equalize => (0.0, false),
            Op::ShearX | Op::ShearY => (linspace(0.0, self.shear), true),
            Op::TranslateX => (translate(width), true),
            Op::TranslateY => (translate(height), true),
            Op::Rotate => (linspace(0.0, self.rotate), true),
            Op::Brightness | Op::Color | Op::Contrast | Op::Sharpness => {
                (linspace(0.0, self.color), true)
            }
            Op::Posterize => {
                let per_bit = (bins.max(2) - 1) as f32 / self.posterize as f32;
                (f64::from((8.0 - bin as f32 / per_bit).round_ties_even()), false)
            }
            Op::Solarize => (linspace(1.0, 0.0), false),
        }
    }
}

/// How the operations show what is between pixels and beyond the image.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub interpolation: Interpolation,
    pub fill: Option<u8>,
}

impl Op {
    /// Writes the image as the operation leaves it.
    pub(super) fn apply(self, image: ImageRef<'_>, magnitude: f64, look: Look, output: &mut [u8]) {
        let Look { interpolation, fill } = look;
        let still = Affine { interpolation, ..Affine::default() };
        let about_corner = Affine { center: Some([0.0; 2]), ..still };
        let shear = magnitude.atan().to_degrees();
        let factor = 1.0 + magnitude;
        let mut draw = |affine: Affine| affine.draw(image, fill, output);
        let color = match self {
            Self::Identity => return output.copy_from_slice(image.pixels),
            Self::ShearX => return draw(Affine { shear: [shear, 0.0], ..about_corner }),
            Self::ShearY => return draw(Affine { shear: [0.0, shear], ..about_corner }),
            Self::TranslateX => {
                return draw(Affine { translate: [magnitude.trunc(), 0.0], ..still });
            }
            Self::TranslateY => {
                return draw(Affine { translate: [0.0, magnitude.trunc()], ..still });
            }
            Self::Rotate => return rotate(image, magnitude, interpolation, fill, output),
            Self::Brightness => ColorOp::Brightness { factor },
            Self::Color => ColorOp::Saturation { factor },
            Self::Contrast => ColorOp::Contrast { factor },
            Self::Sharpness => ColorOp::Sharpness { factor },
            Self::Posterize => ColorOp::Posterize { bits: magnitude as u8 },
            Self::Solarize => ColorOp::Solarize { threshold: 255.0 * magnitude },
            Self::AutoContrast => ColorOp::Autocontrast {},
            Self::Equalize => ColorOp::Equalize {},
        };
        output.copy_from_slice(image.pixels);
        color.change(output, image.shape);
    }
}

/// One operation after another, each drawn from fourteen, all at one magnitude (E. Cubuk et al.,
/// *RandAugment: practical automated data augmentation with a reduced search space*, 2020), with the
/// operations and magnitudes of torchvision's `RandAugment`.
///
/// ```
/// use selvedge_data::transform::RandAugment;
///
/// let stronger = RandAugment { magnitude: 14, ..RandAugment::default() };
/// assert_eq!((stronger.num_ops, stronger.num_magnitude_bins), (2, 31));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandAugment {
    /// How many operations.
    pub num_ops: usize,
    /// Their magnitude, below `num_magnitude_bins`; 0 changes next to nothing.
    pub magnitude: usize,
    /// In how many steps magnitudes are divided.
    pub num_magnitude_bins: usize,
    /// What is between pixels: nearest or bilinear.
    pub interpolation: Interpolation,
    /// The value of what lies beyond the image.
    pub fill: u8,
}

impl Default for RandAugment {
    /// torchvision's: two operations at magnitude 9 of 31.
    fn default() -> Self {
        Self {
            num_ops: 2,
            magnitude: 9,
            num_magnitude_bins: 31,
            interpolation: Interpolation::Nearest,
            fill: 0,
        }
    }
}

impl Transform for RandAugment {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require(self.num_ops <= 100, "operations of RandAugment", "at most 100", self.num_ops)?;
        check("RandAugment", self.num_magnitude_bins, self.interpolation, input)?;
        let expected = format!("less than {}", self.num_magnitude_bins);
        let holds = self.magnitude < self.num_magnitude_bins;
        require(holds, "magnitude of RandAugment", &expected, self.magnitude)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let look = Look { interpolation: self.interpolation, fill: fill(self.fill) };
        output.copy_from_slice(image.pixels);
        let mut before = Vec::new();
        for _ in 0..self.num_ops {
            let op = draw_op(rng);
            let (magnitude, signed) = RAND_AUGMENT.magnitude(
                op,
                self.magnitude,
                self.num_magnitude_bins,
                [height, width],
            );
            let magnitude = draw_sign(magnitude, signed, rng);
            before.clear();
            before.extend_from_slice(output);
            op.apply(ImageRef { pixels: &before, ..image }, magnitude, look, output);
        }
    }
}

/// One operation of fourteen at one magnitude, both drawn (S. Müller and F. Hutter, *TrivialAugment:
/// tuning-free yet state-of-the-art data augmentation*, 2021), with the operations and magnitudes of
/// torchvision's `TrivialAugmentWide`.
///
/// Translations are of up to 32 pixels, whatever the size: more than an image of 28 × 28 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrivialAugmentWide {
    /// In how many steps magnitudes are divided.
    pub num_magnitude_bins: usize,
    /// What is between pixels: nearest or bilinear.
    pub interpolation: Interpolation,
    /// The value of what lies beyond the image.
    pub fill: u8,
}

impl Default for TrivialAugmentWide {
    /// torchvision's: 31 magnitudes.
    fn default() -> Self {
        Self { num_magnitude_bins: 31, interpolation: Interpolation::Nearest, fill: 0 }
    }
}

impl Transform for TrivialAugmentWide {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        check("TrivialAugment", self.num_magnitude_bins, self.interpolation, input)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let look = Look { interpolation: self.interpolation, fill: fill(self.fill) };
        let op = draw_op(rng);
        let bins = self.num_magnitude_bins;
        let bin = rng.below(bins as u64) as usize;
        let (magnitude, signed) = TRIVIAL_AUGMENT_WIDE.magnitude(op, bin, bins, [height, width]);
        op.apply(image, draw_sign(magnitude, signed, rng), look, output);
    }
}

/// torchvision's default is no fill, which is black but for the edge of an interpolated image.
fn fill(value: u8) -> Option<u8> {
    Some(value).filter(|&value| value != 0)
}

fn draw_op(rng: &mut SplitMix64) -> Op {
    OPS[rng.below(OPS.len() as u64) as usize]
}

/// Either sign, equally likely.
fn draw_sign(magnitude: f64, signed: bool, rng: &mut SplitMix64) -> f64 {
    if signed && rng.unit() < 0.5 { -magnitude } else { magnitude }
}

fn check(
    what: &str,
    bins: usize,
    interpolation: Interpolation,
    input: [usize; 3],
) -> Result<(), DataError> {
    require_gray_or_color(what, input)?;
    let steps = format!("magnitudes of {what}");
    require((2..=1 << 20).contains(&bins), &steps, "2 to 1048576 steps", bins)?;
    Affine { interpolation, ..Affine::default() }.output_shape(input).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(transform: &impl Transform, seed: u64) -> Vec<u8> {
        let pixels: Vec<u8> = (0..192).map(|i| (i * 89 % 251) as u8).collect();
        let image = ImageRef { pixels: &pixels, shape: [3, 8, 8] };
        transform.output_shape(image.shape).unwrap();
        let mut output = vec![0; 192];
        transform.apply(image, &mut SplitMix64::new(seed), &mut output);
        output
    }

    #[test]
    fn trivial_augment_draws_all_operations_and_magnitudes() {
        let all: std::collections::BTreeSet<_> =
            (0..3_000).map(|seed| apply(&TrivialAugmentWide::default(), seed)).collect();
        // Several hundred different images; of one operation there would be 61 at most.
        assert!(all.len() > 200, "{}", all.len());
        assert_eq!(
            apply(&TrivialAugmentWide::default(), 4),
            apply(&TrivialAugmentWide::default(), 4)
        );
    }

    #[test]
    fn without_operations_rand_augment_leaves_an_image() {
        let none = RandAugment { num_ops: 0, ..RandAugment::default() };
        let pixels: Vec<u8> = (0..192).map(|i| (i * 89 % 251) as u8).collect();
        assert_eq!(apply(&none, 1), pixels);
        let changed =
            (0..100).filter(|&seed| apply(&RandAugment::default(), seed) != pixels).count();
        // Each of two operations is the identity, or leaves this image, with 1/14 or a little more.
        assert!(changed > 80, "{changed}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let message =
            |augment: RandAugment| augment.output_shape([3, 8, 8]).unwrap_err().to_string();
        let sound = RandAugment::default();
        assert_eq!(
            message(RandAugment { magnitude: 31, ..sound }),
            "magnitude of RandAugment: expected less than 31, found 31"
        );
        message(RandAugment { num_magnitude_bins: 0, ..sound });
        message(RandAugment { num_ops: usize::MAX, ..sound });
        message(RandAugment { interpolation: Interpolation::Bicubic, ..sound });
        assert!(sound.output_shape([4, 8, 8]).is_err());
        assert!(
            TrivialAugmentWide { num_magnitude_bins: 1, ..Default::default() }
                .output_shape([1, 8, 8])
                .is_err()
        );
    }
}
