use super::*;
use proptest::prelude::*;

/// Which pixel of its plane every output is, by definition: the first of the largest, and the last NaN
/// of a window that holds one.
fn positions(planes: &PlanePool, x: &[f32]) -> Vec<usize> {
    let ([height, width], PoolOptions { kernel, stride, padding }) = (planes.input, planes.pool);
    let inside = |axis: usize, output: usize, k: usize| {
        let place = (output * stride[axis] + k).checked_sub(padding[axis])?;
        (place < planes.input[axis]).then_some(place)
    };
    let mut positions = Vec::new();
    for plane in x.chunks(height * width).take(planes.count) {
        for row in 0..planes.output[0] {
            for column in 0..planes.output[1] {
                let mut position = None;
                for k in 0..kernel[0] * kernel[1] {
                    let pixel = (inside(0, row, k / kernel[1]), inside(1, column, k % kernel[1]));
                    let (Some(y), Some(x)) = pixel else { continue };
                    let at = y * width + x;
                    let best = position.map(|position: usize| plane[position]);
                    if best.is_none_or(|best| plane[at] > best || plane[at].is_nan()) {
                        position = Some(at);
                    }
                }
                positions.push(position.expect("every window holds a pixel"));
            }
        }
    }
    positions
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Few values, so that windows hold equal ones, with what is special among them.
fn value(i: usize, seed: usize) -> f32 {
    match (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed as u32 * 40_503) >> 27 {
        0 => f32::NAN,
        1..5 => f32::NEG_INFINITY,
        5 => f32::INFINITY,
        n => (n % 9) as f32 - 4.0,
    }
}

fn check(planes: &PlanePool, seed: usize) {
    assert!(planes.is_fusable(), "{planes:?}");
    let input = planes.input[0] * planes.input[1];
    let output = planes.output[0] * planes.output[1];
    let x: Vec<f32> = (0..planes.count * input).map(|i| value(i, seed)).collect();
    // Whole numbers, whose sums are exact.
    let grad: Vec<f32> = (0..planes.count * output).map(|i| (i * 7 % 23) as f32 - 9.0).collect();
    let positions = positions(planes, &x);
    let taken = |i: usize| i / output * input + positions[i];
    let expected: Vec<f32> = (0..positions.len()).map(|i| x[taken(i)]).collect();
    let mut expected_dx = vec![0.0; x.len()];
    for (i, grad) in grad.iter().enumerate() {
        expected_dx[taken(i)] += grad;
    }
    for isa in Isa::available() {
        let plain = planes.forward(isa, &x, false);
        assert!(plain.argmax.is_empty());
        let pooled = planes.forward(isa, &x, true);
        assert_eq!(bits(&pooled.values), bits(&expected), "{isa:?}");
        assert_eq!(bits(&plain.values), bits(&expected), "{isa:?}");
        assert_eq!(planes.backward(&grad, &pooled.argmax)[..], expected_dx, "{isa:?}");
    }
}

/// Sizes along one axis: input, kernel, stride, padding, output.
fn axis() -> impl Strategy<Value = [usize; 5]> {
    let sizes = (1_usize..40, 1_usize..6, 1_usize..5).prop_flat_map(|(input, kernel, stride)| {
        let padding = 0..kernel;
        (Just(input), Just(kernel), Just(stride), padding)
    });
    sizes.prop_filter_map("no window fits", |(input, kernel, stride, padding)| {
        let space = (input + 2 * padding).checked_sub(kernel)?;
        Some([input, kernel, stride, padding, space / stride + 1])
    })
}

proptest! {
    #[test]
    fn every_pool_is_its_definition(
        count in 0_usize..7,
        y in axis(),
        x in axis(),
        seed in 0_usize..1000,
    ) {
        let [input, kernel, stride, padding, output] = std::array::from_fn(|i| [y[i], x[i]]);
        let pool = PoolOptions { kernel, stride, padding };
        check(&PlanePool { count, input, output, pool }, seed);
    }
}

#[test]
fn planes_that_are_spread_over_threads_are_pooled_as_one_would_be() {
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 0)] {
        let pool = PoolOptions { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] };
        let input = [61, 50];
        let output = pool.output_size(input).unwrap();
        check(&PlanePool { count: 45, input, output, pool }, 3);
    }
}

#[test]
fn an_index_is_a_byte_and_a_window_holds_a_pixel() {
    let planes = |kernel, padding| {
        let pool = PoolOptions { kernel, stride: [1, 1], padding };
        PlanePool { count: 1, input: [20, 20], output: [1, 1], pool }
    };
    assert!(planes([16, 16], [15, 15]).is_fusable());
    assert!(!planes([16, 17], [0, 0]).is_fusable());
    assert!(!planes([2, 2], [2, 0]).is_fusable());
    assert!(!PlanePool { input: [0, 4], ..planes([2, 2], [1, 1]) }.is_fusable());
    let all = planes([16, 16], [15, 15]);
    check(&PlanePool { output: all.pool.output_size(all.input).unwrap(), ..all }, 1);
}
