//! The max-pool against Burn's own.

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{DType, Device, Tensor, TensorData, module::max_pool2d};
use selvedge_kernels::{PoolOptions, max_pool};

/// Few values, so that windows hold equal ones, with what is special among them.
fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let value = |i: usize| match (i as u32).wrapping_mul(2_654_435_761) >> 27 {
        0 => f32::NAN,
        1..5 => f32::NEG_INFINITY,
        n => (n % 9) as f32 - 4.0,
    };
    let values = (0..shape.iter().product()).map(value).collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn burns(x: Tensor<4>, pool: &PoolOptions) -> Tensor<4> {
    let PoolOptions { kernel, stride, padding } = *pool;
    max_pool2d(x, MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding))
}

/// Output and gradient of one way to pool.
fn results(x: &Tensor<4>, of: impl Fn(Tensor<4>) -> Tensor<4>) -> [TensorData; 2] {
    let x = x.clone().detach().require_grad();
    let y = of(x.clone());
    // Weights that differ, and whose sums are exact.
    let count: usize = y.dims().iter().product();
    let weights = (0..count).map(|i| ((i * 7) % 11) as f32 - 4.0).collect::<Vec<_>>();
    let weights = Tensor::<4>::from_data(TensorData::new(weights, y.dims()), &x.device());
    let grads = (y.clone() * weights.cast(x.dtype())).sum().backward();
    [y.into_data(), x.grad(&grads).unwrap().into_data()]
}

/// Shape and bits: NaN is equal to itself.
#[track_caller]
fn assert_same_bits(a: &TensorData, b: &TensorData) {
    assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
    assert!(a.as_bytes() == b.as_bytes(), "{a:?}\n{b:?}");
}

#[track_caller]
fn assert_same(x: &Tensor<4>, pool: &PoolOptions) {
    let fused = results(x, |x| max_pool(x, pool));
    let burns = results(x, |x| burns(x, pool));
    for (fused, burns) in fused.iter().zip(&burns) {
        assert_same_bits(fused, burns);
    }
    // Where nothing is tracked, no code is kept.
    assert_same_bits(&max_pool(x.clone().inner(), pool).into_data(), &burns[0]);
}

/// Pools of every kind: shape, kernel, stride, padding.
const POOLS: [([usize; 4], PoolOptions); 8] = [
    ([2, 3, 12, 20], PoolOptions::tiles(2)),
    ([3, 2, 7, 5], PoolOptions::tiles(2)),
    ([2, 2, 26, 26], PoolOptions { kernel: [3, 3], stride: [1, 1], padding: [0, 0] }),
    ([2, 2, 30, 31], PoolOptions { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }),
    ([2, 1, 9, 40], PoolOptions { kernel: [2, 2], stride: [1, 5], padding: [0, 1] }),
    ([1, 1, 9, 40], PoolOptions { kernel: [2, 5], stride: [3, 1], padding: [0, 2] }),
    ([0, 3, 8, 8], PoolOptions::tiles(2)),
    // More pixels in a window than a byte can tell apart.
    ([1, 2, 20, 20], PoolOptions { kernel: [17, 17], stride: [1, 2], padding: [0, 0] }),
];

#[test]
fn the_result_and_its_gradient_are_those_of_burns_own_operation() {
    let device = Device::flex().autodiff();
    for (shape, pool) in POOLS {
        assert_same(&images(shape, &device), &pool);
    }
}

#[test]
fn other_types_than_f32_are_pooled_by_burns_operation() {
    let device = Device::flex().autodiff();
    for (shape, pool) in POOLS {
        assert_same(&images(shape, &device).cast(DType::F64), &pool);
    }
}

#[test]
fn images_may_lie_in_memory_in_any_order() {
    let x = images([2, 3, 14, 18], &Device::flex().autodiff());
    let pool = PoolOptions::tiles(2);
    assert_same(&x.clone().swap_dims(2, 3), &pool);
    assert_same(&x.slice([0..2, 1..3, 3..11, 2..18]), &pool);
}

#[test]
fn border_alone_is_minus_infinity_as_burns() {
    // The first and the last window hold no pixel.
    let pool = PoolOptions { kernel: [2, 2], stride: [2, 2], padding: [2, 2] };
    let x = images([1, 2, 6, 6], &Device::flex());
    let y = max_pool(x.clone(), &pool).into_data();
    assert_same_bits(&y, &burns(x, &pool).into_data());
    assert_eq!(y.try_to_vec::<f32>().unwrap()[0], f32::NEG_INFINITY);
}

#[test]
#[should_panic(expected = "no window fits into 2 × 8 pixels")]
fn a_window_larger_than_the_image_is_a_mistake() {
    max_pool(Tensor::zeros([1, 1, 2, 8], &Device::flex()), &PoolOptions::tiles(3));
}
