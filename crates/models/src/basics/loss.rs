use burn::tensor::{Int, Tensor};

/// The logarithm of the softmax of each row: x - log Σ exp x, the sum over the row.
///
/// `[batch, classes]` to the same. The largest of each row is subtracted first: it changes nothing,
/// for exp(x - m) / Σ exp(x - m) is the same for every m, but keeps exp from overflowing.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::log_softmax;
///
/// // exp is beyond f32 from 89 on; the difference of the two is what counts.
/// let x = Tensor::<2>::from_data([[1000.0, 1000.0 + 3f32.ln()]], &Device::flex());
/// let p = log_softmax(x).exp().into_data().try_to_vec::<f32>()?;
/// assert!((p[0] - 0.25).abs() < 1e-4 && (p[1] - 0.75).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn log_softmax(x: Tensor<2>) -> Tensor<2> {
    let largest = x.clone().detach().max_dim(1);
    let x = x - largest;
    let sum = x.clone().exp().sum_dim(1);
    x - sum.log()
}

/// Cross-entropy: the mean over the batch of -log p\[label\], p the softmax of the logits.
///
/// Shapes: logits `[batch, classes]`, labels `[batch]`, each below the number of classes; the result
/// is one number.
///
/// # Panics
///
/// Panics where the device does if a target is not one of the classes: on a CPU it is. `cross_entropy` of
/// `selvedge-train` answers it with an error.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use selvedge_models::basics::cross_entropy;
///
/// // Equal logits for four classes: log 4, whatever the target.
/// let device = Device::flex();
/// let targets = Tensor::<1, Int>::from_data([0, 3], &device);
/// let loss = cross_entropy(Tensor::zeros([2, 4], &device), targets).into_scalar::<f32>();
/// assert!((loss - 4f32.ln()).abs() < 1e-6);
/// ```
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let chosen = log_softmax(logits).gather(1, targets.unsqueeze_dim(1)); // [batch, 1]
    chosen.mean().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_same, values};
    use burn::nn::loss::CrossEntropyLossConfig;
    use burn::tensor::{Device, TensorData, activation};

    #[test]
    fn loss_and_gradients_are_those_of_the_framework() {
        for (batch, classes) in [(1, 1), (1, 10), (7, 5), (64, 10)] {
            let logits = values(batch * classes, 3).into_iter().map(|v| 20.0 * v).collect();
            let labels: Vec<i32> =
                (0..batch as i32).map(|n| (3 * n + 1) % classes as i32).collect();
            let labels = |device: &Device| {
                Tensor::<1, Int>::from_data(TensorData::new(labels.clone(), [batch]), device)
            };
            let inputs: [Vec<f32>; 1] = [logits];
            let shape = [batch, classes];
            assert_same(
                &inputs,
                |t| cross_entropy(t[0].clone().reshape(shape), labels(&t[0].device())),
                |t| {
                    let device = t[0].device();
                    let loss = CrossEntropyLossConfig::new().init(&device);
                    loss.forward(t[0].clone().reshape(shape), labels(&device))
                },
            );
            assert_same(
                &inputs,
                |t| log_softmax(t[0].clone().reshape(shape)).flatten(0, 1),
                |t| activation::log_softmax(t[0].clone().reshape::<2, _>(shape), 1).flatten(0, 1),
            );
        }
    }
}
