use proptest::prelude::*;

use super::*;
use crate::cpu::threads::tests::on;
use crate::ops::{DepthwiseConvOptions, FusedActivation};

/// Numbers in [-1, 1) that follow from `seed`.
fn values(n: usize, seed: u32) -> Vec<f32> {
    let value = |i: usize| {
        let bits = (i as u32 ^ seed).wrapping_mul(2_654_435_761);
        (bits ^ (bits >> 15)).wrapping_mul(2_246_822_519) >> 8
    };
    (0..n).map(|i| value(i) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Calls `visit` with the indices of output, input and kernel entry of every product.
fn products(sizes: &Sizes, mut visit: impl FnMut([usize; 3])) {
    let Sizes { batch, channels, input, output, kernel, stride, padding, .. } = *sizes;
    for plane in 0..batch * channels {
        for (y, x) in (0..output[0]).flat_map(|y| (0..output[1]).map(move |x| (y, x))) {
            for (i, j) in (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j))) {
                let row = (y * stride[0] + i).checked_sub(padding[0]);
                let column = (x * stride[1] + j).checked_sub(padding[1]);
                let (Some(row), Some(column)) = (row, column) else { continue };
                if row < input[0] && column < input[1] {
                    visit([
                        (plane * output[0] + y) * output[1] + x,
                        (plane * input[0] + row) * input[1] + column,
                        (plane % channels * kernel[0] + i) * kernel[1] + j,
                    ]);
                }
            }
        }
    }
}

/// A sum of products, in f64.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    /// The sum of the products' sizes, by which rounding is measured: the sum itself may be next to nothing.
    size: f64,
}

impl std::ops::AddAssign<f64> for Sum {
    fn add_assign(&mut self, product: f64) {
        self.value += product;
        self.size += product.abs();
    }
}

fn assert_close(what: &str, found: &[f32], expected: &[Sum]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, sum)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*f) - sum.value).abs();
        // A single product that is missing is nearly always beyond that.
        assert!(error <= 2e-6 * sum.size, "{what}[{i}]: {f} instead of {}", sum.value);
    }
}

fn check(isa: Isa, sizes: &Sizes, seed: u32) {
    let Sizes { batch, channels, input, output, kernel, activation, .. } = *sizes;
    let planes = batch * channels;
    let x = values(planes * input[0] * input[1], seed);
    let grad = values(planes * output[0] * output[1], seed ^ 1);
    // Some results are above 6.
    let weight = values(channels * kernel[0] * kernel[1], seed ^ 2);
    let weight: Vec<f32> = weight.into_iter().map(|w| 8.0 * w).collect();
    let bias = values(channels, seed ^ 3);
    let area = output[0] * output[1];
    let [mut y, mut dx, mut dw] =
        [grad.len(), x.len(), weight.len()].map(|len| vec![Sum::default(); len]);
    y.iter_mut().enumerate().for_each(|(i, y)| *y += f64::from(bias[i / area % channels]));
    products(sizes, |[o, i, k]| {
        y[o] += f64::from(x[i]) * f64::from(weight[k]);
        dx[i] += f64::from(grad[o]) * f64::from(weight[k]);
        dw[k] += f64::from(grad[o]) * f64::from(x[i]);
    });
    y.iter_mut().for_each(|y| {
        y.value = match activation {
            FusedActivation::None => y.value,
            FusedActivation::Relu => y.value.max(0.0),
            FusedActivation::Relu6 => y.value.clamp(0.0, 6.0),
        }
    });
    let what = format!("{isa:?} {sizes:?}");
    assert_close(&what, &forward(isa, sizes, &x, &weight, Some(&bias)), &y);
    assert_close(&what, &input_grad(isa, sizes, &grad, &weight), &dx);
    assert_close(&what, &weight_grad(isa, sizes, &x, &grad), &dw);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 96 },
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn outputs_and_gradients_are_those_of_the_definition(
        [batch, channels] in [1usize..4, 1usize..4],
        kernel in [1usize..6, 1usize..8],
        stride in [1usize..4, 1usize..4],
        before in [0usize..6, 0usize..6],
        after in [0usize..6, 0usize..6],
        beyond in [0usize..20, 0usize..40],
        activation in prop::sample::select(&[
            FusedActivation::None, FusedActivation::Relu, FusedActivation::Relu6,
        ]),
        seed: u32,
    ) {
        let before = [before[0].min(kernel[0] - 1), before[1].min(kernel[1] - 1)];
        let padding = [[before[0], after[0]], [before[1], after[1]]];
        let side = |axis: usize| {
            let around: usize = padding[axis].iter().sum();
            kernel[axis].saturating_sub(around).max(1) + beyond[axis]
        };
        let options = DepthwiseConvOptions { stride, padding, activation };
        let sizes = Sizes::new([batch, channels, side(0), side(1)], kernel, &options).unwrap();
        for isa in Isa::available() {
            check(isa, &sizes, seed);
        }
    }
}

#[test]
fn results_are_the_same_bits_for_any_number_of_threads() {
    let options = DepthwiseConvOptions { padding: [[1, 1], [1, 1]], ..Default::default() };
    let sizes = Sizes::new([6, 24, 21, 19], [3, 3], &options).unwrap();
    let (x, weight) = (values(6 * 24 * 21 * 19, 5), values(24 * 9, 6));
    let isa = Isa::current();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let run = |threads: usize| {
        on(threads, || {
            let y = forward(isa, &sizes, &x, &weight, None);
            let dx = input_grad(isa, &sizes, &y, &weight);
            [bits(&y), bits(&dx), bits(&weight_grad(isa, &sizes, &x, &y))]
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_padding_of_a_whole_kernel_is_left_to_others() {
    let options = DepthwiseConvOptions { padding: [[3, 0], [0, 0]], ..Default::default() };
    assert!(Sizes::new([1, 1, 5, 5], [3, 3], &options).is_none());
    let options = DepthwiseConvOptions::default();
    assert!(Sizes::new([0, 1, 5, 5], [3, 3], &options).is_none());
}
