//! The kernels against the oracle, on every instruction set of the machine.

pub(crate) mod case;
mod naive;

use proptest::prelude::*;

use super::Wanted;
use super::im2col;
use super::winograd::Variant;
use crate::cpu::simd::Isa;
use crate::cpu::test_values::random_values;
use crate::cpu::threads::tests::on;
use crate::ops::{ConvBlockOptions, FusedActivation, PoolOptions, options};
use case::{ALL, Case};

#[test]
fn blocks_of_the_experiments_equal_the_oracle() {
    let tiles = Some(PoolOptions::tiles(2));
    let overlapping = Some(PoolOptions { kernel: [3, 3], stride: [2, 2], padding: [1, 1] });
    for isa in Isa::available() {
        Case::new([19, 1, 28, 28], 10, [3, 3], options(1, 1, true, tiles)).check(isa);
        Case::new([17, 10, 14, 14], 20, [3, 3], options(1, 1, true, tiles)).check(isa);
        Case::new([3, 1, 28, 28], 28, [5, 5], options(1, 0, true, tiles)).check(isa);
        Case::new([3, 28, 12, 12], 20, [3, 3], options(1, 0, true, None)).check(isa);
        Case::new([2, 3, 32, 32], 16, [7, 7], options(2, 3, true, overlapping)).check(isa);
        Case::new([2, 40, 8, 8], 48, [1, 1], options(2, 0, false, None)).check(isa);
        let upsample = ConvBlockOptions { upsample: [2, 2], ..options(1, 4, true, None) };
        Case::new([9, 20, 4, 4], 10, [5, 5], upsample).check(isa);
        Case::new([9, 10, 12, 12], 1, [5, 5], upsample).check(isa);
        // A weight whose gradient is added lane by lane at once.
        Case::new([9, 48, 4, 5], 40, [3, 3], options(1, 1, true, None)).check(isa);
        Case::new([2, 33, 8, 8], 35, [3, 3], options(1, 1, false, tiles)).check(isa);
        // Two pixels of a window are so nearly equal that the rounding of `f32` decides.
        let kink = ConvBlockOptions {
            upsample: [2, 2],
            stride: [3, 2],
            padding: [5, 3],
            activation: FusedActivation::None,
            pool: Some(PoolOptions { kernel: [4, 2], stride: [1, 1], padding: [0, 1] }),
        };
        Case::new([7, 5, 7, 13], 8, [2, 3], kink).check(isa);
    }
}

#[test]
fn convolutions_by_winograds_method_equal_the_oracle() {
    let tiles = Some(PoolOptions::tiles(2));
    let overlapping = Some(PoolOptions { kernel: [3, 3], stride: [1, 2], padding: [1, 0] });
    use Variant::{F2x3, F2x5, F4x3, F4x5};
    for isa in Isa::available() {
        for variant in [F2x3, F4x3] {
            // Several groups at once, of which the last is not full; one with more tiles than a chunk.
            Case::new([43, 5, 4, 4], 3, [3, 3], options(1, 1, true, None)).by(variant).check(isa);
            Case::new([9, 3, 37, 18], 4, [3, 3], options(1, 1, false, tiles))
                .by(variant)
                .check(isa);
            // Strips of rows.
            Case::new([2, 9, 90, 200], 8, [3, 3], options(1, 1, true, tiles))
                .by(variant)
                .check(isa);
            Case::new([2, 9, 90, 201], 8, [3, 3], options(1, 0, true, None)).by(variant).check(isa);
            Case::new([2, 3, 9, 9], 3, [3, 3], options(1, 4, true, overlapping))
                .by(variant)
                .check(isa);
        }
        for variant in [F2x5, F4x5] {
            Case::new([43, 5, 5, 7], 3, [5, 5], options(1, 2, true, None)).by(variant).check(isa);
            Case::new([3, 2, 37, 18], 3, [5, 5], options(1, 1, false, tiles))
                .by(variant)
                .check(isa);
            // Runs of tiles as long as they may be, and strips of rows.
            Case::new([2, 9, 90, 200], 8, [5, 5], options(1, 2, true, tiles))
                .by(variant)
                .check(isa);
        }
    }
}

#[test]
fn sums_of_thousands_of_terms_lose_no_more_than_three_bits() {
    // All terms are positive: added one by one, their sum would be off by up to 40 units of its last
    // place for 4608 products, and by more for the gradients of weight and bias.
    let largest_error = |found: &[f32], expected: &[f64]| {
        let errors = found.iter().zip(expected).map(|(&f, e)| (f64::from(f) - e).abs() / e);
        errors.fold(0.0, f64::max) / f64::from(f32::EPSILON)
    };
    for (x, out) in [([2, 512, 4, 4], 64), ([24, 2, 56, 56], 3)] {
        let mut case = Case::new(x, out, [3, 3], options(1, 1, false, None));
        for values in [&mut case.x, &mut case.weight, &mut case.bias, &mut case.grad] {
            values.iter_mut().for_each(|v| *v = v.abs());
        }
        let expected = naive::forward(&case.g, &case.x, &case.weight, &case.bias);
        let gradients =
            naive::backward(&case.g, &case.x, &case.weight, &expected.argmax, &case.grad);
        for isa in Isa::available() {
            let output = case.forward(isa, true);
            let found = case.backward(isa, &output.argmax, ALL);
            let by_im2col = im2col::forward(isa, &case.g, case.inputs());
            for (what, found, expected) in [
                ("output", &output.values[..], &expected.output),
                ("output by im2col", &by_im2col[..], &expected.output),
                ("gradient of x", &found.x[..], &gradients.x),
                ("gradient of weight", &found.weight[..], &gradients.weight),
                ("gradient of bias", &found.bias[..], &gradients.bias),
            ] {
                let error = largest_error(found, expected);
                assert!(error < 8.0, "{isa:?} {what} of {x:?}: off by {error} units");
            }
        }
    }
}

#[test]
fn winograds_method_rounds_by_no_more_than_is_stated() {
    // The bounds are those of the crate's documentation. Errors grow with the root of the channels.
    use Variant::{F2x3, F2x5, F4x3, F4x5};
    let methods = [
        (3, None, 5e-7),
        (3, Some(F2x3), 2e-6),
        (3, Some(F4x3), 2e-5),
        (5, Some(F2x5), 2e-5),
        (5, Some(F4x5), 2e-5),
    ];
    for (kernel, variant, bound) in methods {
        for channels in [16, 64, 256] {
            let block = options(1, kernel / 2, false, None);
            let case = Case::new([8, channels, 8, 8], 4, [kernel, kernel], block);
            let expected = naive::forward(&case.g, &case.x, &case.weight, &case.bias).output;
            let case = match variant {
                Some(variant) => case.by(variant),
                None => case,
            };
            let largest = expected.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
            for isa in Isa::available() {
                let output = case.forward(isa, false).values;
                let errors = output.iter().zip(&expected).map(|(&v, e)| (f64::from(v) - e).abs());
                let share = errors.fold(0.0, f64::max) / largest;
                assert!(share < bound, "{isa:?} {variant:?}, {channels} channels: {share:.1e}");
            }
        }
    }
}

#[test]
fn an_empty_batch_gives_an_empty_output_and_zero_gradients() {
    let case = Case::new([0, 2, 6, 6], 3, [3, 3], options(1, 1, true, Some(PoolOptions::tiles(2))));
    for isa in Isa::available() {
        let output = case.forward(isa, true);
        assert!(output.values.is_empty());
        let gradients = case.backward(isa, &output.argmax, ALL);
        assert!(gradients.x.is_empty());
        assert_eq!(gradients.weight, vec![0.0; 3 * 2 * 9]);
        assert_eq!(gradients.bias, vec![0.0; 3]);
    }
}

#[test]
fn results_are_the_same_bits_for_any_number_of_threads() {
    let many =
        Case::new([150, 3, 9, 9], 7, [3, 3], options(1, 1, true, Some(PoolOptions::tiles(2))));
    // So few images that the threads share the channels, and enough work for all of them.
    let few = Case {
        scale: Some(random_values(5 * 13, 5)),
        ..Case::new([5, 16, 50, 40], 13, [3, 3], options(1, 1, true, Some(PoolOptions::tiles(2))))
    };
    let small = Case::new([70, 6, 4, 4], 5, [3, 3], options(1, 1, true, None)).by(Variant::F2x3);
    let large = Case::new([3, 9, 90, 200], 8, [3, 3], options(1, 1, true, None)).by(Variant::F4x3);
    let strided = Case::new([70, 6, 9, 8], 5, [3, 3], options(2, 1, false, None));
    let cases = [&many, &few, &small, &large, &strided];
    for (isa, case) in Isa::available().into_iter().flat_map(|isa| cases.map(|case| (isa, case))) {
        let run = |threads: usize| {
            on(threads, || {
                let output = case.forward(isa, true);
                let gradients = case.backward(isa, &output.argmax, ALL);
                let g = gradients;
                let all = [&output.values[..], &g.x, &g.weight, &g.bias];
                all.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            })
        };
        let one = run(1);
        assert!(one == run(2), "{isa:?}, two threads");
        assert!(one == run(3), "{isa:?}, three threads");
        assert!(one == run(7), "{isa:?}, seven threads");
    }
}

#[test]
fn gradients_that_nobody_wants_are_left_out_and_change_no_other() {
    // With an activation, and without one: then the gradient is that of the convolution.
    let cases =
        [true, false].map(|relu| Case::new([5, 3, 7, 7], 4, [3, 3], options(2, 2, relu, None)));
    for (isa, case) in
        Isa::available().into_iter().flat_map(|isa| cases.each_ref().map(|case| (isa, case)))
    {
        let output = case.forward(isa, true);
        let wanted =
            |x, weight, bias| case.backward(isa, &output.argmax, Wanted { x, weight, bias });
        let run = |x, weight| wanted(x, weight, true);
        let (all, only_x, only_weight) = (run(true, true), run(true, false), run(false, true));
        let no_bias = wanted(true, true, false);
        assert_eq!(no_bias.x[..], all.x[..]);
        assert_eq!(no_bias.weight, all.weight);
        assert!(no_bias.bias.is_empty());
        assert_eq!(only_x.x[..], all.x[..]);
        assert!(only_x.weight.is_empty());
        assert_eq!(only_weight.weight, all.weight);
        assert!(only_weight.x.is_empty());
        assert_eq!(only_x.bias, all.bias);
        assert_eq!(only_weight.bias, all.bias);
    }
}

#[test]
fn equal_maxima_give_the_gradient_to_the_first() {
    // A 1×1 kernel of weight 1 copies the image; all four pixels of a window are 2.
    let mut case =
        Case::new([1, 1, 4, 4], 1, [1, 1], options(1, 0, true, Some(PoolOptions::tiles(2))));
    case.x.fill(2.0);
    (case.weight, case.bias) = (vec![1.0], vec![0.0]);
    case.grad = vec![1.0, 2.0, 3.0, 4.0];
    for isa in Isa::available() {
        let output = case.forward(isa, true);
        let gradients = case.backward(isa, &output.argmax, ALL);
        let first =
            [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(gradients.x[..], first, "{isa:?}");
    }
}

#[test]
fn relu_has_no_gradient_at_zero() {
    let mut case = Case::new([1, 1, 1, 3], 1, [1, 1], options(1, 0, true, None));
    case.x = vec![-1.0, 0.0, 1.0];
    (case.weight, case.bias, case.grad) = (vec![1.0], vec![0.0], vec![1.0; 3]);
    for isa in Isa::available() {
        let output = case.forward(isa, true);
        assert_eq!(output.values[..], [0.0, 0.0, 1.0], "{isa:?}");
        let gradients = case.backward(isa, &output.argmax, ALL);
        assert_eq!(gradients.x[..], [0.0, 0.0, 1.0], "{isa:?}");
    }
}

#[test]
fn nan_passes_relu_and_pool_and_is_chosen() {
    let mut case =
        Case::new([1, 1, 2, 4], 1, [1, 1], options(1, 0, true, Some(PoolOptions::tiles(2))));
    case.x = vec![1.0, f32::NAN, 1.0, 2.0, 5.0, 3.0, 0.0, -1.0];
    (case.weight, case.bias, case.grad) = (vec![1.0], vec![0.0], vec![1.0, 1.0]);
    for isa in Isa::available() {
        let output = case.forward(isa, true);
        assert!(output.values[0].is_nan() && output.values[1] == 2.0, "{isa:?}");
        let gradients = case.backward(isa, &output.argmax, ALL);
        assert_eq!(gradients.x[..], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], "{isa:?}");
    }
}

#[test]
fn gradients_are_the_slopes_of_the_output() {
    // Central differences of the loss sum(grad * output) in double precision, by the oracle's forward
    // pass; the step keeps away from the kinks of ReLU and pool for these inputs.
    let tiles = Some(PoolOptions::tiles(2));
    let case = Case::new([2, 2, 5, 6], 3, [2, 3], options(1, 2, true, tiles));
    let loss = |x: &[f32], weight: &[f32], bias: &[f32]| -> f64 {
        let output = naive::forward(&case.g, x, weight, bias).output;
        output.iter().zip(&case.grad).map(|(y, g)| y * f64::from(*g)).sum()
    };
    let step = 1e-4_f32;
    let slope = |which: usize, i: usize| {
        let at = |delta: f32| {
            let mut inputs = [case.x.clone(), case.weight.clone(), case.bias.clone()];
            inputs[which][i] += delta;
            (inputs[which][i], loss(&inputs[0], &inputs[1], &inputs[2]))
        };
        let ((above, high), (below, low)) = (at(step), at(-step));
        (high - low) / (f64::from(above) - f64::from(below))
    };
    for isa in Isa::available() {
        let output = case.forward(isa, true);
        let gradients = case.backward(isa, &output.argmax, ALL);
        for (which, gradient) in
            [&gradients.x[..], &gradients.weight, &gradients.bias].iter().enumerate()
        {
            for (i, &value) in gradient.iter().enumerate() {
                let expected = slope(which, i);
                assert!(
                    (f64::from(value) - expected).abs() < 1e-4,
                    "{isa:?} {which} {i}: {value} {expected}"
                );
            }
        }
    }
}

/// Pool windows whose padding is at most half of the window.
fn pools() -> impl Strategy<Value = Option<PoolOptions>> {
    let window = (1usize..5).prop_flat_map(|kernel| (Just(kernel), 1usize..4, 0..=kernel / 2));
    let pool = (window.clone(), window).prop_map(|(y, x)| PoolOptions {
        kernel: [y.0, x.0],
        stride: [y.1, x.1],
        padding: [y.2, x.2],
    });
    proptest::option::of(pool)
}

fn activations() -> impl Strategy<Value = FusedActivation> {
    use FusedActivation::{None, Relu, Relu6};
    prop_oneof![Just(None), Just(Relu), Just(Relu6)]
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..20, 1usize..6, 1usize..9, 1usize..14, 1usize..14);
    let axis = (1usize..6, 1usize..4, 0usize..7, 1usize..4);
    let flags = (activations(), any::<bool>());
    (sizes, axis.clone(), axis, flags, pools()).prop_filter_map(
        "a window does not fit",
        |((batch, inputs, outputs, height, width), y, x, (activation, scaled), pool)| {
            let options = ConvBlockOptions {
                upsample: [y.3, x.3],
                stride: [y.1, x.1],
                padding: [y.2, x.2],
                activation,
                pool,
            };
            let kernel = [y.0, x.0];
            options.output_size([height, width], kernel)?;
            let mut case = Case::new([batch, inputs, height, width], outputs, kernel, options);
            case.scale = scaled.then(|| random_values(batch * outputs, 5));
            Some(case)
        },
    )
}

#[test]
fn products_of_planes_are_the_same_bits_for_any_number_of_threads() {
    let case = Case::new([19, 40, 23, 29], 48, [1, 1], ConvBlockOptions::default());
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let run = |threads| {
        on(threads, || {
            let (y, gradients) = case.by_planes(Isa::current());
            [bits(&y), bits(&gradients.x), bits(&gradients.weight), bits(&gradients.bias)]
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3) && one == run(7));
}

/// Convolutions of 1 × 1 with an activation.
fn planes_cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..20, 1usize..40, 1usize..40, 1usize..12, 1usize..12);
    (sizes, activations()).prop_map(|((batch, inputs, outputs, height, width), activation)| {
        let options = ConvBlockOptions { activation, ..Default::default() };
        Case::new([batch, inputs, height, width], outputs, [1, 1], options)
    })
}

/// Blocks with stride 1 and a kernel that there is a variant for.
fn winograd_cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..35, 1usize..6, 1usize..9, 1usize..14, 1usize..14);
    use Variant::{F2x3, F2x5, F4x3, F4x5};
    let variants = prop_oneof![Just(F2x3), Just(F4x3), Just(F2x5), Just(F4x5)];
    let axis = (0usize..7, 1usize..4);
    let flags = (activations(), any::<bool>());
    (sizes, variants, axis.clone(), axis, flags, pools()).prop_filter_map(
        "a window does not fit",
        |((batch, inputs, outputs, height, width), variant, y, x, (activation, scaled), pool)| {
            let options = ConvBlockOptions {
                upsample: [y.1, x.1],
                padding: [y.0, x.0],
                activation,
                pool,
                ..Default::default()
            };
            let kernel = if matches!(variant, F2x5 | F4x5) { [5, 5] } else { [3, 3] };
            options.output_size([height, width], kernel)?;
            let mut case = Case::new([batch, inputs, height, width], outputs, kernel, options);
            case.scale = scaled.then(|| random_values(batch * outputs, 5));
            Some(case.by(variant))
        },
    )
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} by {:?}", self.g, self.methods.forward)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_block_equals_the_oracle(case in cases()) {
        for isa in Isa::available() {
            case.check(isa);
        }
    }

    #[test]
    fn any_block_by_im2col_equals_the_oracle(case in cases()) {
        for isa in Isa::available() {
            case.check_im2col(isa);
        }
    }

    #[test]
    fn any_products_of_planes_equal_the_oracle(case in planes_cases()) {
        for isa in Isa::available() {
            case.check_planes(isa);
        }
    }

    #[test]
    fn any_block_by_winograds_method_equals_the_oracle(case in winograd_cases()) {
        for isa in Isa::available() {
            case.check(isa);
        }
    }
}
