//! The block written as its definition: the oracle that the fast kernels are compared with.

use crate::cpu::layout::Geometry;
use crate::ops::FusedActivation;

/// Result of [`forward`].
pub(crate) struct Forward {
    /// `[batch, out_channels, output height, output width]`
    pub output: Vec<f64>,
    /// Position in the convolution's plane that each output was taken from; `None` where ReLU masks
    /// it.
    pub argmax: Vec<Option<[usize; 2]>>,
}

/// Gradients of the three inputs of a block.
pub(crate) struct Gradients {
    pub x: Vec<f64>,
    pub weight: Vec<f64>,
    pub bias: Vec<f64>,
}

/// Index of the input pixel under kernel pixel `k` at output position `o`, if it is not padding.
fn input_pixel(g: &Geometry, axis: usize, o: usize, k: usize) -> Option<usize> {
    let position = (o * g.stride[axis] + k).checked_sub(g.padding[axis])?;
    (position < g.upsampled[axis]).then(|| position / g.upsample[axis])
}

/// Calls `f(weight index, input index)` for every product behind one output of the convolution.
fn for_each_product(
    g: &Geometry,
    [image, channel, row, column]: [usize; 4],
    mut f: impl FnMut(usize, usize),
) {
    for i in 0..g.in_channels {
        for ky in 0..g.kernel[0] {
            for kx in 0..g.kernel[1] {
                if let (Some(y), Some(x)) =
                    (input_pixel(g, 0, row, ky), input_pixel(g, 1, column, kx))
                {
                    let weight =
                        ((channel * g.in_channels + i) * g.kernel[0] + ky) * g.kernel[1] + kx;
                    let input = ((image * g.in_channels + i) * g.input[0] + y) * g.input[1] + x;
                    f(weight, input);
                }
            }
        }
    }
}

/// One pixel `[image, channel, row, column]` of the convolution of `[x, weight, bias]`.
pub(crate) fn convolution(g: &Geometry, at: [usize; 4], [x, weight, bias]: [&[f32]; 3]) -> f64 {
    let mut sum = f64::from(bias[at[1]]);
    for_each_product(g, at, |w, i| sum += f64::from(weight[w]) * f64::from(x[i]));
    sum
}

/// Convolution, bias, ReLU, max-pool, in double precision.
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32]) -> Forward {
    let inputs = [x, weight, bias];
    let mut result = Forward { output: Vec::new(), argmax: Vec::new() };
    for image in 0..g.batch {
        for channel in 0..g.out_channels {
            for row in 0..g.output[0] {
                for column in 0..g.output[1] {
                    let mut best = f64::NEG_INFINITY;
                    let mut argmax = None;
                    for py in 0..g.pool.kernel[0] {
                        for px in 0..g.pool.kernel[1] {
                            let y = (row * g.pool.stride[0] + py).checked_sub(g.pool.padding[0]);
                            let x = (column * g.pool.stride[1] + px).checked_sub(g.pool.padding[1]);
                            let (Some(y), Some(x)) = (y, x) else { continue };
                            if y >= g.conv[0] || x >= g.conv[1] {
                                continue;
                            }
                            let value = convolution(g, [image, channel, y, x], inputs);
                            if argmax.is_none() || value > best || value.is_nan() {
                                best = value;
                                argmax = Some([y, x]);
                            }
                        }
                    }
                    let (low, high) = match g.activation {
                        FusedActivation::None => (f64::NEG_INFINITY, f64::INFINITY),
                        FusedActivation::Relu => (0.0, f64::INFINITY),
                        FusedActivation::Relu6 => (0.0, 6.0),
                    };
                    if best <= low || best >= high {
                        best = best.clamp(low, high);
                        argmax = None;
                    }
                    result.output.push(best);
                    result.argmax.push(argmax);
                }
            }
        }
    }
    result
}

/// The chain rule, output by output, for the gradient `grad` of the output.
pub(crate) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    argmax: &[Option<[usize; 2]>],
    grad: &[f32],
) -> Gradients {
    let mut result = Gradients {
        x: vec![0.0; x.len()],
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; g.out_channels],
    };
    let plane = g.output[0] * g.output[1];
    for (at, (&grad, argmax)) in grad.iter().zip(argmax).enumerate() {
        let Some([row, column]) = *argmax else {
            continue;
        };
        let (image, channel) = (at / plane / g.out_channels, at / plane % g.out_channels);
        let grad = f64::from(grad);
        result.bias[channel] += grad;
        for_each_product(g, [image, channel, row, column], |w, i| {
            result.weight[w] += grad * f64::from(x[i]);
            result.x[i] += grad * f64::from(weight[w]);
        });
    }
    result
}
