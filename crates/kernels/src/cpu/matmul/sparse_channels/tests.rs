use proptest::prelude::*;

use super::*;
use crate::cpu::test_values::random_values;
use crate::cpu::threads::tests::on;

/// A layer with values between -1 and 1, and the channels for which `zero` is true 0.
struct Layer {
    sizes: [usize; 3],
    size: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    grad: Vec<f32>,
}

impl Layer {
    fn new(sizes: [usize; 3], size: usize, zero: impl Fn(usize, usize) -> bool) -> Self {
        let [batch, features, outputs] = sizes;
        let mut x = random_values(batch * features, 1);
        for (i, channel) in x.chunks_exact_mut(size).enumerate() {
            let count = features / size;
            if zero(i / count, i % count) {
                channel.fill(0.0);
            }
        }
        Layer {
            sizes,
            size,
            x,
            weight: random_values(features * outputs, 2),
            bias: random_values(outputs, 3),
            grad: random_values(batch * outputs, 4),
        }
    }

    /// Compares the products with their definitions in double precision.
    fn check(&self, isa: Isa, relu: bool) {
        let [batch, features, outputs] = self.sizes;
        let channels = SparseChannels::find(&self.x, self.sizes, self.size).expect("enough zeros");
        let (x, weight) = (&self.x[..], &self.weight[..]);
        let operands = Operands { channels: &channels, sizes: self.sizes, weight };
        let at = |m: &[f32], i: usize| f64::from(m[i]);
        let near = |actual: &[f32], terms: usize, expected: &dyn Fn(usize) -> f64| {
            for (i, &actual) in actual.iter().enumerate() {
                let error = (f64::from(actual) - expected(i)).abs();
                assert!(error < 1e-6 * (terms as f64 + 1.0), "{actual} not {} at {i}", expected(i));
            }
        };
        let y = operands.forward(isa, Some(&self.bias), relu);
        assert_eq!(y.len(), batch * outputs);
        near(&y, features, &|i| {
            let (image, output) = (i / outputs, i % outputs);
            let products = (0..features)
                .map(|f| at(x, image * features + f) * at(weight, f * outputs + output));
            let sum = products.sum::<f64>() + at(&self.bias, output);
            if relu { sum.max(0.0) } else { sum }
        });
        let [dx, dw] = operands.backward(isa, &self.grad, [true, true]);
        assert_eq!((dx.len(), dw.len()), (x.len(), weight.len()));
        near(&dx, outputs, &|i| {
            let (image, feature) = (i / features, i % features);
            let channel = &x[i / self.size * self.size..][..self.size];
            if channel.iter().all(|&x| x == 0.0) {
                return 0.0;
            }
            let product =
                |o| at(&self.grad, image * outputs + o) * at(weight, feature * outputs + o);
            (0..outputs).map(product).sum()
        });
        near(&dw, batch, &|i| {
            let (feature, output) = (i / outputs, i % outputs);
            let product = |b| at(x, b * features + feature) * at(&self.grad, b * outputs + output);
            (0..batch).map(product).sum()
        });
        // One alone is the same as with the other.
        let [only, none] = operands.backward(isa, &self.grad, [true, false]);
        assert!(only[..] == dx[..] && none.is_empty());
        let [none, only] = operands.backward(isa, &self.grad, [false, true]);
        assert!(only[..] == dw[..] && none.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 60 }))]

    #[test]
    fn products_without_channels_of_zeros_are_those_of_the_definition(
        batch in 1..20_usize,
        count in 1..6_usize,
        size in MIN_FEATURES..MIN_FEATURES + 10,
        outputs in MIN_OUTPUTS..300,
        pattern in 2..7_usize,
        relu: bool,
    ) {
        // Image 0 has its first channel dropped, so that there always is one.
        let zero = |image: usize, channel: usize| (image * 5 + channel).is_multiple_of(pattern);
        let outputs = if cfg!(miri) { MIN_OUTPUTS + outputs % 4 } else { outputs };
        let layer = Layer::new([batch, count * size, outputs], size, zero);
        for isa in Isa::available() {
            layer.check(isa, relu);
        }
    }
}

#[test]
fn images_and_channels_that_are_all_zeros_leave_the_bias_and_no_gradient() {
    for isa in Isa::available() {
        Layer::new([3, 64, 65], 32, |_, _| true).check(isa, false);
        Layer::new([9, 96, 70], 32, |image, channel| image == 4 || channel == 1).check(isa, true);
    }
}

#[test]
fn channels_are_left_out_where_that_is_worth_it() {
    let find = |sizes: [usize; 3], size, zero: &dyn Fn(usize, usize) -> bool| {
        let layer = Layer::new(sizes, size, zero);
        SparseChannels::find(&layer.x, sizes, size)
    };
    let channels = find([3, 64, 64], 32, &|image, channel| image == 1 && channel == 0).unwrap();
    let images = |channels: SparseChannels| channels.channels.into_iter().map(|c| c.images);
    assert!(images(channels).eq([vec![0, 2], vec![0, 1, 2]]));
    // No zeros, too few of them, too small channels, too few outputs, sums taken with more digits.
    assert!(find([3, 64, 64], 32, &|_, _| false).is_none());
    assert!(find([50, 64, 64], 32, &|image, channel| image < 9 && channel == 0).is_none());
    assert!(find([50, 64, 64], 32, &|image, channel| image < 10 && channel == 0).is_some());
    assert!(find([3, 64, 64], 16, &|_, channel| channel == 0).is_none());
    assert!(find([3, 64, 63], 32, &|_, channel| channel == 0).is_none());
    assert!(find([3, LONG + 32, 64], 32, &|_, channel| channel == 0).is_none());
    // A NaN is not zero.
    let mut x = vec![0.0; 64];
    x[40] = f32::NAN;
    assert!(images(SparseChannels::find(&x, [1, 64, 64], 32).unwrap()).eq([vec![], vec![0]]));
    assert!(SparseChannels::find(&[], [0, 64, 64], 32).is_none());
    assert!(SparseChannels::find(&[], [0, 0, 64], 32).is_none());
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let layer = Layer::new([40, 320, 300], 32, |image, channel| (image + channel) % 3 == 0);
    let channels = SparseChannels::find(&layer.x, layer.sizes, 32).unwrap();
    let operands = Operands { channels: &channels, sizes: layer.sizes, weight: &layer.weight };
    let isa = Isa::current();
    let run = |threads| {
        on(threads, || {
            let y = operands.forward(isa, None, true);
            let [dx, dw] = operands.backward(isa, &layer.grad, [true, true]);
            [y.to_vec(), dx.to_vec(), dw.to_vec()]
        })
    };
    assert!(run(1) == run(3));
}
