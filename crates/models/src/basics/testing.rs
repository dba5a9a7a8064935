//! What the tests of the operations share.

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use rand::SeedableRng;

use super::Window;
use crate::{Rng, network::initialization::unit};

/// The largest difference that rounding explains, relative to the largest value or 1.
const TOLERANCE: f32 = 1e-5;

/// `n` values in [-1, 1).
pub fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::seed_from_u64(seed);
    (0..n).map(|_| (2.0 * unit(&mut rng) - 1.0) as f32).collect()
}

/// Shapes `[batch, channels, height, width]` with a window that fits on them; `largest` is the largest
/// padding of a kernel.
pub fn shapes(largest: fn(usize) -> usize) -> impl Strategy<Value = ([usize; 4], Window)> {
    let kernel = prop::sample::select(vec![1usize, 2, 3, 5]);
    let beyond = [0usize..8, 0usize..8];
    (1usize..=3, 1usize..=3, beyond, kernel, [1usize..=3, 0usize..=2]).prop_map(
        move |(batch, channels, beyond, kernel, [stride, padding])| {
            let padding = padding.min(largest(kernel));
            let least = kernel.saturating_sub(2 * padding).max(1);
            let [height, width] = beyond.map(|pixels| least + pixels);
            ([batch, channels, height, width], Window { kernel, stride, padding })
        },
    )
}

/// Checks that two compositions of the same inputs agree in their outputs, and in the gradients of a
/// weighted sum of the outputs with respect to every input.
pub fn assert_same(
    inputs: &[Vec<f32>],
    own: impl Fn(&[Tensor<1>]) -> Tensor<1>,
    framework: impl Fn(&[Tensor<1>]) -> Tensor<1>,
) {
    let own = outputs_and_gradients(inputs, own);
    let framework = outputs_and_gradients(inputs, framework);
    for (i, (found, expected)) in own.iter().zip(&framework).enumerate() {
        let what = if i == 0 { "output".into() } else { format!("gradient of input {}", i - 1) };
        assert_close(&what, found, expected);
    }
}

/// The output, then the gradient with respect to each input; one that was not used has none: zeros.
fn outputs_and_gradients(
    inputs: &[Vec<f32>],
    operation: impl Fn(&[Tensor<1>]) -> Tensor<1>,
) -> Vec<TensorData> {
    let device = Device::flex().autodiff();
    let leaf = |values: &Vec<f32>| {
        let data = TensorData::new(values.clone(), [values.len()]);
        Tensor::<1>::from_data(data, &device).require_grad()
    };
    let leaves: Vec<_> = inputs.iter().map(leaf).collect();
    let output = operation(&leaves);
    let [n] = output.dims();
    let weights = Tensor::from_data(TensorData::new(values(n, 9), [n]), &device);
    let gradients = (output.clone() * weights).sum().backward();
    let gradient = |leaf: &Tensor<1>| match leaf.grad(&gradients) {
        Some(gradient) => gradient.into_data(),
        None => leaf.zeros_like().into_data(),
    };
    std::iter::once(output.into_data()).chain(leaves.iter().map(gradient)).collect()
}

/// Checks that two tensors agree but for rounding.
pub fn assert_close(what: &str, found: &TensorData, expected: &TensorData) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let [found, expected] = [found, expected].map(|data| data.try_to_vec::<f32>().unwrap());
    let finite = expected.iter().filter(|v| v.is_finite());
    let scale = finite.fold(1f32, |scale, v| scale.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        let same = f == e || (f - e).abs() <= TOLERANCE * scale;
        assert!(same, "{what}[{i}]: {f} instead of {e}");
    }
}
