use super::{Affine, ColorOp, GaussianBlur, GaussianNoise, ImageRef, Transform, Transforms};
use super::{Interpolation, require};
use crate::{DataError, SplitMix64};

/// Images whose sides are all below this have the strengths of CIFAR-10-C, others those of ImageNet-C.
const SMALL: usize = 64;

/// What happens to images between a camera and a classifier, in five strengths each: in the manner of Hendrycks and
/// Dietterich ("Benchmarking neural network robustness to common corruptions and perturbations", 2019, arXiv
/// 1903.12261), who made CIFAR-10-C and ImageNet-C of it.
///
/// | corruption | strength | below 64 × 64 (28, 32 pixels) | larger |
/// |---|---|---|---|
/// | `Noise` | standard deviation of normal noise, of a range of 1 | .04, .06, .08, .09, .1 | .08, .12, .18, .26, .38 |
/// | `Blur` | standard deviation of a Gaussian, pixels | .4, .6, .7, .8, 1 | 1, 2, 3, 4, 6 |
/// | `Contrast` | factor of the differences from the mean | .75, .5, .4, .3, .15 | .4, .3, .2, .1, .05 |
/// | `Jpeg` | quality of the file | 80, 65, 58, 50, 40 | 25, 18, 15, 10, 7 |
/// | `Rotation` | degrees, either way by chance | 5, 10, 15, 20, 30 | the same |
///
/// The first four are theirs, from the programs that made the two sets; they have no rotation. A few details differ: noise
/// and blur are [`GaussianNoise`] and [`GaussianBlur`], contrast is [`ColorOp::Contrast`], which takes the mean of the
/// grey image, and JPEG files are those of the crate `image`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Corruption {
    /// Normal noise.
    Noise,
    /// Gaussian blur.
    Blur,
    /// Less contrast.
    Contrast,
    /// Through a JPEG file.
    #[cfg(feature = "images")]
    Jpeg,
    /// Turned about the middle, with black beyond the border.
    Rotation,
}

impl Corruption {
    /// All of them, in the order of the table; JPEG with the feature `images`.
    pub const ALL: &[Self] = &[
        Self::Noise,
        Self::Blur,
        Self::Contrast,
        #[cfg(feature = "images")]
        Self::Jpeg,
        Self::Rotation,
    ];

    /// A word for tables and pictures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Blur => "blur",
            Self::Contrast => "contrast",
            #[cfg(feature = "images")]
            Self::Jpeg => "JPEG",
            Self::Rotation => "rotation",
        }
    }

    /// What its strength is.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Noise => "standard deviation",
            Self::Blur => "standard deviation in pixels",
            Self::Contrast => "factor",
            #[cfg(feature = "images")]
            Self::Jpeg => "quality",
            Self::Rotation => "degrees",
        }
    }

    /// The five strengths for images of a shape, `[channels, height, width]`, the weakest first.
    pub fn strengths(self, [_, height, width]: [usize; 3]) -> [f64; 5] {
        let small = height.max(width) < SMALL;
        match (self, small) {
            (Self::Noise, true) => [0.04, 0.06, 0.08, 0.09, 0.10],
            (Self::Noise, false) => [0.08, 0.12, 0.18, 0.26, 0.38],
            (Self::Blur, true) => [0.4, 0.6, 0.7, 0.8, 1.0],
            (Self::Blur, false) => [1.0, 2.0, 3.0, 4.0, 6.0],
            (Self::Contrast, true) => [0.75, 0.5, 0.4, 0.3, 0.15],
            (Self::Contrast, false) => [0.4, 0.3, 0.2, 0.1, 0.05],
            #[cfg(feature = "images")]
            (Self::Jpeg, true) => [80.0, 65.0, 58.0, 50.0, 40.0],
            #[cfg(feature = "images")]
            (Self::Jpeg, false) => [25.0, 18.0, 15.0, 10.0, 7.0],
            (Self::Rotation, _) => [5.0, 10.0, 15.0, 20.0, 30.0],
        }
    }

    /// The corruption at a strength, one of [`strengths`](Self::strengths) or another, for images of a shape.
    ///
    /// ```
    /// use selvedge_data::transform::{Corruption, ImageRef};
    /// use selvedge_data::EpochSeed;
    ///
    /// let image = ImageRef { pixels: &[0, 200], shape: [1, 1, 2] };
    /// let flat = Corruption::Contrast.transforms(0.5, image.shape);
    /// let (pixels, _) = flat.transformed(image, EpochSeed { seed: 1, epoch: 0 }, 0)?;
    /// assert_eq!(pixels, [50, 150]);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    pub fn transforms(self, strength: f64, [_, height, width]: [usize; 3]) -> Transforms {
        let transforms = Transforms::new();
        match self {
            Self::Noise => transforms.with(GaussianNoise { mean: 0.0, sigma: strength }),
            Self::Blur => {
                // To four standard deviations, or as far as an image can be mirrored.
                let most = 2 * height.min(width).saturating_sub(1) + 1;
                let reach = (4.0 * strength).ceil().clamp(0.0, most as f64) as usize;
                let kernel_size = (2 * reach + 1).min(most);
                transforms.with(GaussianBlur { kernel_size, sigma: [strength; 2] })
            }
            Self::Contrast => transforms.with(ColorOp::Contrast { factor: strength }),
            #[cfg(feature = "images")]
            Self::Jpeg => transforms.with(super::Jpeg::new(strength)),
            Self::Rotation => transforms.with(EitherWay { degrees: strength }),
        }
    }
}

/// Turns by an angle, to the left or to the right by chance.
#[derive(Debug, Clone, Copy)]
struct EitherWay {
    degrees: f64,
}

impl EitherWay {
    fn by(degrees: f64) -> Affine {
        let interpolation = Interpolation::Bilinear;
        Affine { angle: degrees, interpolation, ..Affine::default() }
    }
}

impl Transform for EitherWay {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let holds = (0.0..=360.0).contains(&self.degrees);
        require(holds, "degrees of a rotation", "a number from 0 to 360", self.degrees)?;
        Self::by(self.degrees).output_shape(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let right = rng.unit() < 0.5;
        let degrees = if right { self.degrees } else { -self.degrees };
        Self::by(degrees).apply(image, rng, output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EpochSeed;

    /// How much the images of a square and of a ramp differ from themselves, on average.
    fn change(corruption: Corruption, strength: f64, shape: [usize; 3]) -> f64 {
        let [channels, height, width] = shape;
        let pixel = |i: usize| {
            let (row, column) = (i / width % height, i % width);
            let inside = row > height / 4 && row < height / 2 && column > width / 3;
            if inside { 230 } else { (column * 120 / width) as u8 }
        };
        let pixels: Vec<u8> = (0..channels * height * width).map(pixel).collect();
        let image = ImageRef { pixels: &pixels, shape };
        let transforms = corruption.transforms(strength, shape);
        let (new, found) =
            transforms.transformed(image, EpochSeed { seed: 3, epoch: 0 }, 5).unwrap();
        assert_eq!(found, shape);
        let sum: f64 = new.iter().zip(&pixels).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        sum / pixels.len() as f64
    }

    #[test]
    fn every_corruption_changes_images_the_more_the_stronger_it_is() {
        for shape in [[1, 28, 28], [3, 32, 32], [3, 96, 80]] {
            for corruption in Corruption::ALL {
                let changes = corruption.strengths(shape).map(|s| change(*corruption, s, shape));
                assert!(changes[0] > 0.0, "{corruption:?} {shape:?}: {changes:?}");
                assert!(
                    changes.is_sorted_by(|a, b| a < b),
                    "{corruption:?} {shape:?}: {changes:?}"
                );
            }
        }
    }

    #[test]
    fn a_blur_without_end_reaches_no_further_than_an_image_can_be_mirrored() {
        for strength in [1e19, f64::INFINITY, f64::NAN, -1.0] {
            // It is refused in use, or blurs all; it is no panic.
            let transforms = Corruption::Blur.transforms(strength, [1, 28, 28]);
            let _ = transforms.output_shape([1, 28, 28]);
        }
        assert!(
            change(Corruption::Blur, 1e3, [1, 28, 28]) > change(Corruption::Blur, 1.0, [1, 28, 28])
        );
    }

    #[test]
    fn what_is_drawn_depends_on_the_seed_and_the_place_of_the_image() {
        let pixels: Vec<u8> = (0..28 * 28).map(|i| (i % 251) as u8).collect();
        let image = ImageRef { pixels: &pixels, shape: [1, 28, 28] };
        for corruption in [Corruption::Noise, Corruption::Rotation] {
            let transforms =
                corruption.transforms(corruption.strengths(image.shape)[2], image.shape);
            let of = |seed, position| {
                let draws = EpochSeed { seed, epoch: 0 };
                transforms.transformed(image, draws, position).unwrap().0
            };
            assert_eq!(of(1, 2), of(1, 2));
            assert!((0..20).any(|seed| of(seed, 2) != of(1, 2)));
            assert!((0..20).any(|position| of(1, position) != of(1, 2)));
        }
    }

    #[test]
    fn strengths_out_of_their_range_are_refused_and_one_pixel_is_an_image() {
        for (corruption, strength) in [
            (Corruption::Noise, -1.0),
            (Corruption::Blur, f64::NAN),
            (Corruption::Contrast, -0.5),
            #[cfg(feature = "images")]
            (Corruption::Jpeg, 0.0),
            (Corruption::Rotation, 1e9),
        ] {
            let image = ImageRef { pixels: &[7], shape: [1, 1, 1] };
            let draws = EpochSeed { seed: 1, epoch: 0 };
            let refused = corruption.transforms(strength, image.shape).transformed(image, draws, 0);
            assert!(refused.unwrap_err().to_string().len() < 150, "{corruption:?}");
            for strength in corruption.strengths(image.shape) {
                corruption.transforms(strength, image.shape).transformed(image, draws, 0).unwrap();
            }
        }
    }
}
