use super::*;
use crate::cpu::norm::moments::{CHANNELS, PIECE, statistics};
use crate::cpu::test_values::random_values;
use crate::cpu::threads::tests::on;
use proptest::prelude::*;

/// Channel of every element.
fn channel(batch: Batch, at: usize) -> usize {
    at / batch.plane % batch.channels
}

/// Everything by its definition, in double precision.
struct Definition {
    mean: Vec<f64>,
    variance: Vec<f64>,
    y: Vec<f64>,
    dx: Vec<f64>,
    gradients: Vec<f64>,
    products: Vec<f64>,
}

const EPSILON: f64 = 1e-5;

fn definition(batch: Batch, x: &[f32], grad: &[f32], activation: FusedActivation) -> Definition {
    let [low, high] = ends(activation);
    let (gamma, beta) = parameters(batch);
    let n = batch.per_channel() as f64;
    let per_channel = |f: &dyn Fn(usize) -> f64| {
        let mut sums = vec![0.0; batch.channels];
        for i in 0..x.len() {
            sums[channel(batch, i)] += f(i);
        }
        sums
    };
    let mean: Vec<f64> = per_channel(&|i| f64::from(x[i]) / n);
    let distance = |i: usize| f64::from(x[i]) - mean[channel(batch, i)];
    let variance = per_channel(&|i| distance(i) * distance(i) / n);
    let inverse = |i: usize| 1.0 / (variance[channel(batch, i)] + EPSILON).sqrt();
    let (g, b) = (|i| f64::from(gamma[channel(batch, i)]), |i| f64::from(beta[channel(batch, i)]));
    let plain = |i: usize| distance(i) * inverse(i) * g(i) + b(i);
    let passes =
        |i: usize| if plain(i) <= low || plain(i) >= high { 0.0 } else { f64::from(grad[i]) };
    let gradients = per_channel(&passes);
    let products = per_channel(&|i| passes(i) * distance(i));
    let dx = |i: usize| {
        let c = channel(batch, i);
        let along = distance(i) * inverse(i) * inverse(i) * products[c] / n;
        g(i) * inverse(i) * (passes(i) - gradients[c] / n - along)
    };
    Definition {
        y: (0..x.len()).map(|i| plain(i).clamp(low, high)).collect(),
        dx: (0..x.len()).map(dx).collect(),
        mean: mean.clone(),
        variance: variance.clone(),
        gradients: gradients.clone(),
        products: products.clone(),
    }
}

const ACTIVATIONS: [FusedActivation; 3] =
    [FusedActivation::None, FusedActivation::Relu, FusedActivation::Relu6];

/// The values between which an activation changes nothing.
fn ends(activation: FusedActivation) -> [f64; 2] {
    match activation {
        FusedActivation::None => [f64::NEG_INFINITY, f64::INFINITY],
        FusedActivation::Relu => [0.0, f64::INFINITY],
        FusedActivation::Relu6 => [0.0, 6.0],
    }
}

fn parameters(batch: Batch) -> (Vec<f32>, Vec<f32>) {
    // Some results are above 6.
    let of = |c: usize| (2.0 + 2.0 * c as f32, 3.0 - 0.1 * c as f32);
    (0..batch.channels).map(of).unzip()
}

fn close(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64]) {
    close_to(what, found, expected, 1e-3);
}

/// Compares relative to the largest value, or to `least` if that is larger.
fn close_to(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64], least: f64) {
    let scale = expected.iter().fold(least, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.into_iter().zip(expected).enumerate() {
        assert!((f - e).abs() < 1e-5 * scale, "{what}[{i}]: {f} instead of {e}");
    }
}

fn check(batch: Batch, activation: FusedActivation) {
    let len = batch.channels * batch.per_channel();
    let (x, grad) = (random_values(len, 1), random_values(len, 2));
    let expected = definition(batch, &x, &grad, activation);
    // A value so near to a kink that rounding decides is not compared.
    let near = |y: f64, end: f64| y != end && (y - end).abs() < 1e-5;
    if ends(activation).iter().any(|end| expected.y.iter().any(|y| near(*y, *end))) {
        return;
    }
    let (gamma, beta) = parameters(batch);
    for isa in Isa::available() {
        let statistics = statistics(isa, batch, &x);
        let (mean, variance) = statistics.split_at(batch.channels);
        let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        close("mean", wide(mean), &expected.mean);
        close("variance", wide(variance), &expected.variance);
        let of = Affine::new(&gamma, &beta, mean, variance, EPSILON);
        let pass = Normalize { isa, batch, affine: &of, activation };
        close("output", wide(&pass.output(&x)), &expected.y);
        let sums = pass.gradient_sums(&x, &grad);
        // Their terms, of about 1, may cancel.
        close_to("gradients", sums.iter().map(|s| s.gradients), &expected.gradients, 1.0);
        close_to("products", sums.iter().map(|s| s.products), &expected.products, 1.0);
        let dx = pass.input_gradient(&x, &grad, &sums);
        // Its terms, which are as large as gradient and scale, may cancel.
        let largest = of.scale.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let relative = |v: f64| v / f64::from(largest).max(1.0);
        let expected_dx: Vec<f64> = expected.dx.iter().map(|v| relative(*v)).collect();
        close_to("input gradient", wide(&dx).into_iter().map(relative), &expected_dx, 1.0);
    }
}

#[test]
fn planes_longer_than_a_piece_are_normalized_by_their_definition() {
    check(Batch { images: 2, channels: 3, plane: 2 * PIECE + 37 }, FusedActivation::Relu);
}

#[test]
fn channels_that_are_put_together_by_several_threads_are_normalized_by_their_definition() {
    check(Batch { images: 3, channels: 2 * CHANNELS + 22, plane: 9 }, FusedActivation::None);
    check(Batch { images: 2, channels: CHANNELS + 1, plane: PIECE + 3 }, FusedActivation::Relu);
}

#[test]
fn results_are_the_same_bits_for_any_number_of_threads() {
    let batch = Batch { images: 13, channels: 2 * CHANNELS + 22, plane: 49 };
    let len = batch.images * batch.image();
    let (x, grad) = (random_values(len, 1), random_values(len, 2));
    let (gamma, beta) = parameters(batch);
    let isa = Isa::current();
    let run = |threads: usize| {
        on(threads, || {
            let statistics = statistics(isa, batch, &x);
            let (mean, variance) = statistics.split_at(batch.channels);
            let of = Affine::new(&gamma, &beta, mean, variance, EPSILON);
            let pass = Normalize { isa, batch, affine: &of, activation: FusedActivation::Relu6 };
            let dx = pass.input_gradient(&x, &grad, &pass.gradient_sums(&x, &grad));
            [&pass.output(&x)[..], &statistics, &dx].concat()
        })
    };
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let one = bits(run(1));
    for threads in [2, 3, 7] {
        assert_eq!(one, bits(run(threads)), "{threads} threads");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_batch_is_normalized_by_the_definition(
        images in 1usize..5,
        channels in 1usize..5,
        plane in 1usize..70,
        activation in prop::sample::select(&ACTIVATIONS),
    ) {
        check(Batch { images, channels, plane }, activation);
    }
}
