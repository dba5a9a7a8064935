//! A linear layer with ReLU as an operation of Burn's backends.

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that compute a linear layer with bias and ReLU.
///
/// This is the layer below [`linear`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait LinearBlockBackend: Backend {
    /// The layer on primitive tensors.
    ///
    /// The default composes Burn's own operations.
    fn linear_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        settings: LinearSettings,
    ) -> FloatTensor<Self> {
        compose::<Self>([x, weight, bias], settings)
    }
}

/// What follows the product of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearSettings {
    /// Whether the bias is added.
    pub has_bias: bool,
    /// Whether negative results become zero.
    pub relu: bool,
    /// If the input is made of channels, how many adjacent features are one, and that the gradient of a
    /// channel that is zero makes no difference: it may be left out.
    pub channel: Option<usize>,
}

/// The layer out of Burn's own operations, for `[x, weight, bias]`.
pub(crate) fn compose<B: Backend>(
    [x, weight, bias]: [FloatTensor<B>; 3],
    settings: LinearSettings,
) -> FloatTensor<B> {
    let y = B::linear(x, weight, settings.has_bias.then_some(bias));
    if settings.relu { B::relu(y) } else { y }
}

compose_on_other_backends!(LinearBlockBackend);

/// `x · weight + bias`, with or without ReLU, as one differentiable operation.
///
/// The result is that of `linear`, then `relu` of Burn: a NaN stays one, and ReLU's gradient at 0 is
/// 0. On the flex device, in `f32`, neither the sum with the bias nor ReLU takes a tensor of its own,
/// and the gradient of what needs none is not computed; everywhere else Burn's operations do it all.
///
/// # Shapes
///
/// - `x`: `[batch, in_features]`
/// - `weight`: `[in_features, out_features]`, as in [`burn::nn::Linear`]
/// - `bias`: `[out_features]`
/// - result: `[batch, out_features]`
///
/// # Panics
///
/// Panics if the features do not match.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::linear;
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[1.0, 2.0]], &device);
/// let weight = Tensor::<2>::from_data([[3.0, -3.0], [4.0, -4.0]], &device);
/// let bias = Tensor::<1>::from_data([0.5, 0.5], &device);
/// let y = linear(x, weight, Some(bias), true);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [11.5, 0.0]);
/// # }
/// ```
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, relu: bool) -> Tensor<2> {
    layer(x, weight, bias, relu, None)
}

/// [`linear`], where every `channel` adjacent features of `x` are a channel of a flattened image, and
/// many channels may be zero, as channel dropout leaves them.
///
/// On the flex device, where it is worth it, nothing is computed for a channel of an image that is zero:
/// its gradient is 0 then, and a weight that is infinite or NaN does not spoil the result there. So `x`
/// has to be what ReLU returned, with or without channel dropout after it: ReLU stops that gradient
/// anyway.
///
/// # Panics
///
/// As [`linear`], and if the features are not a multiple of `channel`.
pub fn linear_of_channels(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    relu: bool,
    channel: usize,
) -> Tensor<2> {
    let [_, features] = x.dims();
    assert!(
        channel > 0 && features.is_multiple_of(channel),
        "linear_of_channels: {features} features are no channels of {channel}"
    );
    layer(x, weight, bias, relu, Some(channel))
}

fn layer(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    relu: bool,
    channel: Option<usize>,
) -> Tensor<2> {
    let ([_, features], [in_features, out_features]) = (x.dims(), weight.dims());
    assert_eq!(
        features, in_features,
        "linear: the input has {features} features, the weight expects {in_features}"
    );
    if let Some(bias) = &bias {
        let [len] = bias.dims();
        assert_eq!(
            len, out_features,
            "linear: the bias has {len} elements, the weight {out_features} output features"
        );
    }
    let settings = LinearSettings { has_bias: bias.is_some(), relu, channel };
    // An operation has a fixed number of inputs: no bias is zeros, which need no gradient.
    let bias = bias.unwrap_or_else(|| Tensor::zeros([out_features], (&x.device(), x.dtype())));
    Tensor::from_dispatch(<Dispatch as LinearBlockBackend>::linear_block(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        settings,
    ))
}
