use serde::{Deserialize, Serialize};

use super::lanes::{truncated, whole, wide};
use super::{ImageRef, Transform, require, require_gray_or_color, tone};
use crate::{DataError, SplitMix64};

/// Changes the colours of every image in the same way, as the functions of
/// `torchvision.transforms.v2.functional` do with uint8 images of one or three channels.
///
/// ```
/// use selvedge_data::SplitMix64;
/// use selvedge_data::transform::{ColorOp, ImageRef, Transform};
///
/// let image = ImageRef { pixels: &[10, 200], shape: [1, 1, 2] };
/// let mut brighter = [0; 2];
/// ColorOp::Brightness { factor: 1.5 }.apply(image, &mut SplitMix64::new(1), &mut brighter);
/// assert_eq!(brighter, [15, 255]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum ColorOp {
    /// Every value times a factor: 0 is black, 1 the image.
    Brightness {
        /// At least 0.
        factor: f64,
    },
    /// From the mean grey of the image (0) by way of the image (1) to more.
    Contrast {
        /// At least 0.
        factor: f64,
    },
    /// From the grey image (0) by way of the image (1) to more. A grey image stays as it is.
    Saturation {
        /// At least 0.
        factor: f64,
    },
    /// Turns the hue by so much of the circle of colours. A grey image stays as it is.
    Hue {
        /// From -0.5 to 0.5.
        factor: f64,
    },
    /// From a smoothed image (0) by way of the image (1) to a sharpened one; pixels at the edge stay.
    Sharpness {
        /// At least 0.
        factor: f64,
    },
    /// Keeps the upper bits of each value.
    Posterize {
        /// How many, 0 to 8.
        bits: u8,
    },
    /// Makes negatives of the values from a threshold on.
    Solarize {
        /// From 0 to 255.
        threshold: f64,
    },
    /// Stretches the values of each channel so that the lowest becomes 0 and the highest 255.
    Autocontrast {},
    /// Makes all values of each channel about equally frequent, as Pillow does.
    Equalize {},
    /// Makes a negative.
    Invert {},
}

impl Transform for ColorOp {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_gray_or_color("change of colours", input)?;
        let factor = |what, factor: f64| {
            let holds = factor >= 0.0 && factor <= f64::from(f32::MAX);
            require(holds, what, "a number of at least 0", factor)
        };
        match *self {
            Self::Brightness { factor: by } => factor("factor of brightness", by),
            Self::Contrast { factor: by } => factor("factor of contrast", by),
            Self::Saturation { factor: by } => factor("factor of saturation", by),
            Self::Sharpness { factor: by } => factor("factor of sharpness", by),
            Self::Hue { factor: by } => {
                let holds = (-0.5..=0.5).contains(&by);
                require(holds, "turn of the hue", "a number from -0.5 to 0.5", by)
            }
            Self::Posterize { bits } => {
                require(bits <= 8, "bits of a posterized image", "0 to 8", bits)
            }
            Self::Solarize { threshold } => {
                let holds = (0.0..=255.0).contains(&threshold);
                require(holds, "threshold of a solarized image", "0 to 255", threshold)
            }
            Self::Autocontrast {} | Self::Equalize {} | Self::Invert {} => Ok(()),
        }?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        output.copy_from_slice(image.pixels);
        self.change(output, image.shape);
    }
}

impl ColorOp {
    /// Changes an image of the shape `[channels, height, width]` in its place.
    pub(super) fn change(self, pixels: &mut [u8], shape: [usize; 3]) {
        let [_, height, width] = shape;
        let planes = pixels.chunks_exact_mut(height * width);
        match self {
            Self::Brightness { factor } => brightness(pixels, factor as f32),
            Self::Contrast { factor } => contrast(pixels, shape, factor),
            Self::Saturation { factor } => saturation(pixels, shape, factor),
            Self::Hue { factor } => hue(pixels, shape, factor as f32),
            Self::Sharpness { factor } => tone::sharpness(pixels, shape, factor),
            Self::Posterize { bits } => tone::posterize(pixels, bits),
            Self::Solarize { threshold } => tone::solarize(pixels, threshold),
            Self::Autocontrast {} => planes.for_each(tone::autocontrast),
            Self::Equalize {} => planes.for_each(tone::equalize),
            Self::Invert {} => pixels.iter_mut().for_each(|p| *p = !*p),
        }
    }
}

/// The three planes of a colour image; `None` of a grey one.
fn planes(pixels: &mut [u8], [channels, height, width]: [usize; 3]) -> Option<[&mut [u8]; 3]> {
    if channels != 3 {
        return None;
    }
    let (red, rest) = pixels.split_at_mut(height * width);
    let (green, blue) = rest.split_at_mut(height * width);
    Some([red, green, blue])
}

/// ITU-R 601-2 with torchvision's digits: the brightness that an eye sees.
#[inline(always)]
pub(super) fn luma(red: u8, green: u8, blue: u8) -> f32 {
    f32::from(red) * 0.2989 + f32::from(green) * 0.587 + f32::from(blue) * 0.114
}

wide! {
    fn brightness(pixels: &mut [u8], factor: f32) {
        for p in pixels {
            *p = truncated(f32::from(*p) * factor);
        }
    }
}

fn contrast(pixels: &mut [u8], shape: [usize; 3], factor: f64) {
    let mut sum = 0;
    let count = match planes(pixels, shape) {
        Some([red, green, blue]) => {
            sum_of_luma(red, green, blue, &mut sum);
            red.len()
        }
        None => {
            sum = pixels.iter().map(|&p| u64::from(p)).sum();
            pixels.len()
        }
    };
    let mean = (sum as f64 / count as f64) as f32;
    blend(pixels, factor as f32, (1.0 - factor) as f32 * mean);
}

wide! {
    fn sum_of_luma(red: &[u8], green: &[u8], blue: &[u8], sum: &mut u64) {
        for ((red, green), blue) in red.chunks(1 << 16).zip(green.chunks(1 << 16)).zip(blue.chunks(1 << 16)) {
            let pixels = red.iter().zip(green).zip(blue);
            *sum += u64::from(pixels.map(|((&r, &g), &b)| whole(luma(r, g, b)) as u32).sum::<u32>());
        }
    }
}

wide! {
    fn blend(pixels: &mut [u8], factor: f32, other: f32) {
        for p in pixels {
            *p = truncated(f32::from(*p) * factor + other);
        }
    }
}

fn saturation(pixels: &mut [u8], shape: [usize; 3], factor: f64) {
    if let Some([red, green, blue]) = planes(pixels, shape) {
        saturate(red, green, blue, factor as f32, (1.0 - factor) as f32);
    }
}

wide! {
    fn saturate(red: &mut [u8], green: &mut [u8], blue: &mut [u8], factor: f32, rest: f32) {
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            let gray = whole(luma(*r, *g, *b)) as f32 * rest;
            *r = truncated(f32::from(*r) * factor + gray);
            *g = truncated(f32::from(*g) * factor + gray);
            *b = truncated(f32::from(*b) * factor + gray);
        }
    }
}

fn hue(pixels: &mut [u8], shape: [usize; 3], turn: f32) {
    if let Some([red, green, blue]) = planes(pixels, shape) {
        turn_hue(red, green, blue, turn);
    }
}

wide! {
    fn turn_hue(red: &mut [u8], green: &mut [u8], blue: &mut [u8], turn: f32) {
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            let color = [*r, *g, *b].map(|p| f32::from(p) / 255.0);
            // torchvision's way from a float back to a byte.
            let byte = |value: f32| truncated(value * 255.999);
            let [new_r, new_g, new_b] = turned(color, turn);
            (*r, *g, *b) = (byte(new_r), byte(new_g), byte(new_b));
        }
    }
}

/// A colour of values from 0 to 1 with its hue turned, by way of hue, saturation and value, as Pillow
/// computes them. Without a branch, so that many are computed at once.
#[inline(always)]
fn turned([r, g, b]: [f32; 3], turn: f32) -> [f32; 3] {
    let most = r.max(g).max(b);
    let least = r.min(g).min(b);
    let range = most - least;
    let gray = range == 0.0;
    let saturation = range / if gray { 1.0 } else { most };
    let divisor = if gray { 1.0 } else { range };
    let [rc, gc, bc] = [r, g, b].map(|value| (most - value) / divisor);
    let of_blue = 4.0 + gc - rc;
    let of_green = if most == g { 2.0 + rc - bc } else { of_blue };
    let sector = if most == r { bc - gc } else { of_green };
    // Both sums are from -1 to below 2.
    let fraction = |value: f32| {
        let value = if value < 0.0 { value + 1.0 } else { value };
        if value >= 1.0 { value - 1.0 } else { value }
    };
    let hue = fraction(fraction(sector * (1.0 / 6.0)) + turn);

    let h6 = hue * 6.0;
    let sector = whole(h6);
    let f = h6 - sector as f32;
    let sector = if sector == 6 { 0 } else { sector };
    let unit = |value: f32| value.clamp(0.0, 1.0);
    let q = unit((1.0 - saturation * f) * most);
    let t = unit((saturation * f + (1.0 - saturation)) * most);
    let p = unit((1.0 - saturation) * most);
    let v = most;
    let red = select(sector, [v, q, p, p, t, v]);
    let green = select(sector, [t, v, v, q, p, p]);
    let blue = select(sector, [p, p, t, v, v, q]);
    [red, green, blue]
}

#[inline(always)]
fn select(sector: i32, values: [f32; 6]) -> f32 {
    let mut value = values[5];
    for (i, of_sector) in (0..5).zip(values) {
        value = if sector == i { of_sector } else { value };
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_out_of_range_and_images_of_two_channels_are_refused() {
        let message = |op: ColorOp| op.output_shape([3, 2, 2]).unwrap_err().to_string();
        assert_eq!(
            message(ColorOp::Hue { factor: 0.6 }),
            "turn of the hue: expected a number from -0.5 to 0.5, found 0.6"
        );
        for factor in [-0.1, f64::NAN, f64::INFINITY] {
            message(ColorOp::Brightness { factor });
            message(ColorOp::Sharpness { factor });
        }
        message(ColorOp::Posterize { bits: 9 });
        message(ColorOp::Solarize { threshold: 256.0 });
        assert_eq!(
            ColorOp::Invert {}.output_shape([2, 4, 4]).unwrap_err().to_string(),
            "change of colours: expected images of 1 or 3 channels, found 2"
        );
    }

    #[test]
    fn a_hue_that_is_not_turned_changes_no_value_by_more_than_one() {
        for color in 0..1 << 15 {
            let byte = |shift: u32| (color >> shift & 31) as u8 * 8 + 3;
            let before = [byte(0), byte(5), byte(10)];
            let mut after = before;
            ColorOp::Hue { factor: 0.0 }.change(&mut after, [3, 1, 1]);
            assert!(
                before.iter().zip(after).all(|(a, b)| a.abs_diff(b) <= 1),
                "{before:?} {after:?}"
            );
        }
    }

    #[test]
    fn a_third_of_the_circle_exchanges_pure_colours() {
        let mut pixels = [255, 0, 0];
        ColorOp::Hue { factor: 1.0 / 3.0 }.change(&mut pixels, [3, 1, 1]);
        assert_eq!(pixels, [0, 255, 0]);
    }
}
