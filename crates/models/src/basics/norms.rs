use burn::tensor::Tensor;

/// Group normalization (Wu and He, 2018): the channels of each image are divided into `groups`, each of
/// which gets mean 0 and variance 1; then every channel is multiplied by its weight, and its bias added.
/// `epsilon` is added to the variance.
///
/// Shapes: x and the result `[batch, channels, height, width]`, weight and bias `[channels]`.
///
/// # Panics
///
/// Panics if the groups do not divide the channels, or if the weight or the bias has not one value a channel.
pub fn group_norm(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let rows = x.reshape([batch, groups, channels / groups * height * width]);
    let y = standardized(rows, epsilon).reshape([batch, channels, height, width]);
    y * weight.reshape([1, channels, 1, 1]) + bias.reshape([1, channels, 1, 1])
}

/// Layer normalization (Ba et al., 2016) over the channels of each pixel; `epsilon` is added to the variance.
///
/// Shapes: x and the result `[batch, channels, height, width]`, weight and bias `[channels]`; features are
/// images of one pixel.
///
/// # Panics
///
/// Panics if the weight or the bias has neither one value a channel nor a single one.
pub fn layer_norm(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let pixels = x.reshape([batch, channels, height * width]).swap_dims(1, 2);
    let y = standardized(pixels, epsilon) * weight.unsqueeze() + bias.unsqueeze();
    y.swap_dims(1, 2).reshape([batch, channels, height, width])
}

/// (x - mean) / √(variance + ε) over the last dimension, with the biased variance.
fn standardized(x: Tensor<3>, epsilon: f64) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    centred / (variance + epsilon).sqrt()
}
