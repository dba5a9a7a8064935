use burn::tensor::Tensor;

/// Linear layer: y = x · W + b.
///
/// Shapes: x `[batch, in_features]`, weight `[in_features, out_features]` as Burn keeps it (PyTorch's
/// is the transpose), bias `[out_features]`, result `[batch, out_features]`.
///
/// # Panics
///
/// Panics if the shapes do not fit each other.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::linear;
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[1.0, 2.0]], &device);
/// let weight = Tensor::<2>::from_data([[1.0, 0.0, 2.0], [3.0, 1.0, 0.0]], &device);
/// let bias = Tensor::<1>::from_data([0.5, 0.0, -1.0], &device);
/// let y = linear(x, weight, Some(bias));
/// assert_eq!(y.into_data().try_to_vec::<f32>()?, [7.5, 2.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let y = x.matmul(weight);
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// max(x, 0), any shape. The gradient is 1 above 0 and 0 elsewhere, at 0 too; NaN stays NaN.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::relu;
///
/// let x = Tensor::<1>::from_data([-1.0, 0.0, 2.0], &Device::flex());
/// assert_eq!(relu(x).into_data().try_to_vec::<f32>()?, [0.0, 0.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let negative = x.clone().lower_equal_elem(0.0);
    x.mask_fill(negative, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_same, values};
    use burn::tensor::{Device, activation, module};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_linear_layer_and_its_gradients_are_those_of_the_framework(
            batch in 1usize..=5,
            sides in [1usize..=40, 1usize..=40],
            seed: u64,
        ) {
            let [input, output] = sides;
            let inputs = [
                values(batch * input, seed),
                values(input * output, seed ^ 1),
                values(output, seed ^ 2),
            ];
            let parts = |t: &[Tensor<1>]| {
                let x: Tensor<2> = t[0].clone().reshape([batch, input]);
                (x, t[1].clone().reshape(sides), Some(t[2].clone()))
            };
            assert_same(
                &inputs,
                |t| {
                    let (x, weight, bias) = parts(t);
                    linear(x, weight, bias).flatten(0, 1)
                },
                |t| {
                    let (x, weight, bias) = parts(t);
                    module::linear(x, weight, bias).flatten(0, 1)
                },
            );
        }
    }

    #[test]
    fn relu_and_its_gradient_are_those_of_the_framework_at_zero_too() {
        let inputs = [vec![-2.0, -0.0, 0.0, 1e-30, 3.0, f32::INFINITY, f32::NEG_INFINITY]];
        assert_same(&inputs, |t| relu(t[0].clone()), |t| activation::relu(t[0].clone()));
    }

    #[test]
    fn relu_keeps_nan() {
        let x = Tensor::<1>::from_data([f32::NAN], &Device::flex());
        assert!(relu(x).into_scalar::<f32>().is_nan());
    }
}
