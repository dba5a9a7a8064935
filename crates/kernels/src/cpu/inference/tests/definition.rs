//! Layers by their definitions, in double precision.

use crate::cpu::inference::{Convolution, PoolWindows};

/// Height and width of what a convolution makes of images of that size, if there are pixels.
pub fn output(conv: &Convolution, size: [usize; 2]) -> Option<[usize; 2]> {
    let along = |axis: usize| {
        let padded = size[axis] + conv.padding[2 * axis] + conv.padding[2 * axis + 1];
        let kernel = conv.dilation * (conv.kernel[axis] - 1) + 1;
        Some(padded.checked_sub(kernel)? / conv.stride[axis] + 1)
    };
    Some([along(0)?, along(1)?])
}

/// An image `[channels, height, width]` by its definition, in double precision.
#[derive(Clone, Debug)]
pub struct Image {
    shape: [usize; 3],
    pub values: Vec<f64>,
}

impl Image {
    pub fn new(shape: [usize; 3], of: impl Fn(usize, usize, usize) -> f64) -> Self {
        let [channels, height, width] = shape;
        let mut values = Vec::new();
        for channel in 0..channels {
            for y in 0..height {
                values.extend((0..width).map(|x| of(channel, y, x)));
            }
        }
        Image { shape, values }
    }

    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    pub fn given(shape: [usize; 3], values: &[f32]) -> Self {
        Image { shape, values: values.iter().map(|value| f64::from(*value)).collect() }
    }

    /// The pixel, if it is one of the image.
    pub fn get(&self, channel: usize, y: isize, x: isize) -> Option<f64> {
        let [_, height, width] = self.shape;
        let (y, x) = (usize::try_from(y).ok()?, usize::try_from(x).ok()?);
        let is_there = y < height && x < width;
        is_there.then(|| self.values[(channel * height + y) * width + x])
    }

    /// What `of` makes of the pixels of each window.
    pub fn windows(&self, w: &PoolWindows, of: impl Fn(Vec<Option<f64>>) -> f64) -> Self {
        let [height, width] = w.output;
        Image::new([self.shape[0], height, width], |channel, y, x| {
            let mut pixels = Vec::new();
            for i in 0..w.kernel[0] {
                for j in 0..w.kernel[1] {
                    let y = (y * w.stride[0] + i) as isize - w.padding[0] as isize;
                    let x = (x * w.stride[1] + j) as isize - w.padding[1] as isize;
                    pixels.push(self.get(channel, y, x));
                }
            }
            of(pixels)
        })
    }

    pub fn conv(&self, conv: &Convolution, output: [usize; 2]) -> Self {
        let [in_channels, ..] = self.shape;
        let [kernel_height, kernel_width] = conv.kernel;
        let (inputs, outputs) = (in_channels / conv.groups, conv.out_channels / conv.groups);
        Image::new([conv.out_channels, output[0], output[1]], |channel, y, x| {
            let mut sum = conv.bias.map_or(0.0, |bias| f64::from(bias[channel]));
            for input in 0..inputs {
                for i in 0..kernel_height {
                    for j in 0..kernel_width {
                        let weight =
                            ((channel * inputs + input) * kernel_height + i) * kernel_width + j;
                        let row = y * conv.stride[0] + i * conv.dilation;
                        let column = x * conv.stride[1] + j * conv.dilation;
                        let pixel = self.get(
                            channel / outputs * inputs + input,
                            row as isize - conv.padding[0] as isize,
                            column as isize - conv.padding[2] as isize,
                        );
                        sum += f64::from(conv.weight[weight]) * pixel.unwrap_or(0.0);
                    }
                }
            }
            sum
        })
    }
}

/// Compares outputs relative to the largest.
pub fn assert_near(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_within(found, expected, tolerance * largest(expected), what);
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(1e-3, |largest, value| largest.max(value.abs()))
}

pub fn assert_within(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= tolerance, "{what}, element {i}: {found} and {expected}");
    }
}
