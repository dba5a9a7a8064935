use serde::{Deserialize, Serialize};

use super::warp::{inverse, warp};
use super::{ImageRef, Interpolation, Transform, between, require, require_range, round};
use crate::{DataError, SplitMix64};

/// Turns, moves, scales and shears every image in the same way, as torchvision's `functional.affine`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Affine {
    /// Degrees, clockwise.
    pub angle: f64,
    /// Pixels to the right and down.
    pub translate: [f64; 2],
    /// Above 0; 1 is the image's size.
    pub scale: f64,
    /// Degrees along x and along y, each between -90 and 90.
    pub shear: [f64; 2],
    /// What is between pixels: nearest or bilinear.
    pub interpolation: Interpolation,
    /// The value of what lies beyond the image.
    pub fill: u8,
    /// Column and row of the point about which it turns, from the upper left corner; the image's centre
    /// unless it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center: Option<[f64; 2]>,
}

impl Default for Affine {
    /// The image as it is.
    fn default() -> Self {
        Self {
            angle: 0.0,
            translate: [0.0; 2],
            scale: 1.0,
            shear: [0.0; 2],
            interpolation: Interpolation::Nearest,
            fill: 0,
            center: None,
        }
    }
}

impl Transform for Affine {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let small = |value: f64| value.abs() <= MOST;
        let most = "numbers of at most a million";
        require(small(self.angle), "angle of an affine map", most, self.angle)?;
        for by in self.translate.into_iter().chain(self.center.into_iter().flatten()) {
            require(small(by), "pixels of an affine map", most, by)?;
        }
        require_scale([self.scale; 2])?;
        require_shear([self.shear; 2])?;
        require_side(input)?;
        require_linear(self.interpolation)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        self.draw(image, Some(self.fill), output);
    }
}

/// Numbers of pixels and degrees are at most so large.
const MOST: f64 = 1e6;

impl Affine {
    /// The image as the map shows it. Without a `fill` torchvision weighs the edge once.
    pub(super) fn draw(&self, image: ImageRef<'_>, fill: Option<u8>, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let half = [width, height].map(|side| side as f64 * 0.5);
        let center = self.center.map_or([0.0; 2], |[x, y]| [x - half[0], y - half[1]]);
        let matrix = inverse(center, self.angle, self.translate, self.scale, self.shear);
        warp(image, matrix, self.interpolation, fill, output);
    }
}

fn require_scale(scale: [f64; 2]) -> Result<(), DataError> {
    require_range("scale of an affine map", scale, 1e-3..=1e3)
}

/// A shear by a right angle leaves no area.
fn require_shear(shear: [[f64; 2]; 2]) -> Result<(), DataError> {
    let [low, high] = shear;
    for range in [[low[0], high[0]], [low[1], high[1]]] {
        require_range("shear of an affine map", range, -89.9..=89.9)?;
    }
    Ok(())
}

fn require_linear(interpolation: Interpolation) -> Result<(), DataError> {
    let holds = interpolation != Interpolation::Bicubic;
    require(holds, "interpolation of an affine map", "nearest or bilinear", "bicubic")
}

/// Places in an image are computed in f32, and counted in 32 bits.
fn require_side([_, height, width]: [usize; 3]) -> Result<(), DataError> {
    let holds = height.max(width) <= 1 << 16 && height * width <= 1 << 30;
    let expected = "images of at most 65536 rows and columns and 2^30 pixels";
    require(holds, "affine map", expected, format_args!("{height} x {width}"))
}

/// Turns an image about its centre by an angle drawn uniformly, as torchvision's `RandomRotation`.
///
/// ```
/// use selvedge_data::transform::{Interpolation, RandomRotation};
///
/// let rotation = RandomRotation::new(15.0);
/// assert_eq!((rotation.degrees, rotation.interpolation), ([-15.0, 15.0], Interpolation::Nearest));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomRotation {
    /// The least and the greatest angle in degrees, anticlockwise.
    pub degrees: [f64; 2],
    /// What is between pixels: nearest or bilinear.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// The value of what lies beyond the image.
    #[serde(default)]
    pub fill: u8,
}

impl RandomRotation {
    /// By at most so many degrees either way; the nearest pixel is shown, and 0 beyond the image.
    pub fn new(degrees: f64) -> Self {
        Self { degrees: [-degrees, degrees], interpolation: Interpolation::Nearest, fill: 0 }
    }

    /// The same, with values between pixels interpolated.
    pub fn bilinear(self) -> Self {
        Self { interpolation: Interpolation::Bilinear, ..self }
    }
}

impl Transform for RandomRotation {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_range("degrees of a rotation", self.degrees, -MOST..=MOST)?;
        require_side(input)?;
        require_linear(self.interpolation)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        rotate(image, between(self.degrees, rng), self.interpolation, Some(self.fill), output);
    }
}

/// Turns an image about its centre, anticlockwise.
pub(super) fn rotate(
    image: ImageRef<'_>,
    degrees: f64,
    interpolation: Interpolation,
    fill: Option<u8>,
    output: &mut [u8],
) {
    // The other direction than of `Affine`, as in torchvision.
    let angle = -degrees.rem_euclid(360.0);
    Affine { angle, interpolation, ..Affine::default() }.draw(image, fill, output);
}

/// Turns, moves, scales and shears an image by numbers drawn uniformly, as torchvision's `RandomAffine`.
///
/// ```
/// use selvedge_data::transform::RandomAffine;
///
/// let affine = RandomAffine { translate: [0.1, 0.1], scale: [0.9, 1.1], ..RandomAffine::new(10.0) };
/// assert_eq!(affine.degrees, [-10.0, 10.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomAffine {
    /// The least and the greatest angle in degrees, clockwise.
    pub degrees: [f64; 2],
    /// How far it is moved at most to either side and up or down, as shares of width and height, 0 to 1. The
    /// pixels are rounded to whole ones.
    #[serde(default)]
    pub translate: [f64; 2],
    /// The least and the greatest scale.
    #[serde(default = "one")]
    pub scale: [f64; 2],
    /// The least and the greatest shear in degrees along x.
    #[serde(default)]
    pub shear_x: [f64; 2],
    /// The least and the greatest shear in degrees along y.
    #[serde(default)]
    pub shear_y: [f64; 2],
    /// What is between pixels: nearest or bilinear.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// The value of what lies beyond the image.
    #[serde(default)]
    pub fill: u8,
}

fn one() -> [f64; 2] {
    [1.0; 2]
}

impl RandomAffine {
    /// Turned by at most so many degrees either way, and nothing else.
    pub fn new(degrees: f64) -> Self {
        Self {
            degrees: [-degrees, degrees],
            translate: [0.0; 2],
            scale: one(),
            shear_x: [0.0; 2],
            shear_y: [0.0; 2],
            interpolation: Interpolation::Nearest,
            fill: 0,
        }
    }
}

impl Transform for RandomAffine {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_range("degrees of an affine map", self.degrees, -MOST..=MOST)?;
        for share in self.translate {
            let holds = (0.0..=1.0).contains(&share);
            require(holds, "translate of an affine map", "numbers from 0 to 1", share)?;
        }
        require_scale(self.scale)?;
        let [x, y] = [self.shear_x, self.shear_y];
        require_shear([[x[0], y[0]], [x[1], y[1]]])?;
        require_side(input)?;
        require_linear(self.interpolation)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let angle = between(self.degrees, rng);
        let [x, y] = self.translate;
        let translate = [x * width as f64, y * height as f64]
            .map(|most| round(between([-most, most], rng)) as f64);
        let scale = between(self.scale, rng);
        let shear = [self.shear_x, self.shear_y].map(|range| between(range, rng));
        let interpolation = self.interpolation;
        let affine = Affine { angle, translate, scale, shear, interpolation, ..Affine::default() };
        affine.draw(image, Some(self.fill), output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_translation_moves_by_whole_pixels_of_either_sign_up_to_its_share() {
        let mut pixels = [0; 121];
        pixels[60] = 1;
        let image = ImageRef { pixels: &pixels, shape: [1, 11, 11] };
        let affine = RandomAffine { translate: [0.28, 0.1], ..RandomAffine::new(0.0) };
        let mut found = std::collections::BTreeMap::<_, usize>::new();
        for seed in 0..6_000 {
            let mut output = [0; 121];
            affine.apply(image, &mut SplitMix64::new(seed), &mut output);
            let at = output.iter().position(|&p| p == 1).unwrap() as i64;
            *found.entry((at / 11 - 5, at % 11 - 5)).or_default() += 1;
        }
        // 0.28 · 11 = 3.08 columns and 1.1 rows either way: 3 and 1 at most. The outermost ones come where
        // the draw is rounded to them, from 2.5 to 3.08 and from 0.5 to 1.1, the others from a whole one.
        let share = |at: i64, most: f64| {
            let last = most.round() as i64;
            let width = if at.abs() == last { most - (last as f64 - 0.5) } else { 1.0 };
            width / (2.0 * most)
        };
        assert_eq!(found.len(), 21);
        for (&(down, right), &count) in &found {
            let expected = 6_000.0 * share(down, 1.1) * share(right, 3.08);
            assert!(
                (count as f64 - expected).abs() < 6.0 * expected.sqrt(),
                "{down} {right} {count}"
            );
        }
    }

    #[test]
    fn maps_out_of_range_are_refused() {
        let message = |affine: Affine| affine.output_shape([1, 8, 8]).unwrap_err().to_string();
        for scale in [0.0, -1.0, f64::NAN, 1e9] {
            let error = message(Affine { scale, ..Affine::default() });
            assert!(error.starts_with("scale of an affine map: expected"), "{error}");
        }
        message(Affine { shear: [0.0, 90.0], ..Affine::default() });
        message(Affine { angle: f64::INFINITY, ..Affine::default() });
        message(Affine { translate: [0.0, f64::NAN], ..Affine::default() });
        message(Affine { center: Some([1e9, 0.0]), ..Affine::default() });
        assert_eq!(
            message(Affine { interpolation: Interpolation::Bicubic, ..Affine::default() }),
            "interpolation of an affine map: expected nearest or bilinear, found bicubic"
        );
        let share = RandomAffine { translate: [1.1, 0.0], ..RandomAffine::new(0.0) };
        assert!(share.output_shape([1, 8, 8]).is_err());
        assert!(RandomRotation::new(f64::NAN).output_shape([1, 8, 8]).is_err());
        assert!(RandomRotation::new(-1.0).output_shape([1, 8, 8]).is_err());
    }
}
