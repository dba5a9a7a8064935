use burn::tensor::{Device, TensorData};

use super::*;

fn device() -> Device {
    Device::flex().autodiff()
}

fn matrix<const N: usize>(values: [[f32; N]; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::from(values), &device())
}

const LOGITS: [[f32; 3]; 2] = [[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]];
const SHARES: [[f32; 3]; 2] = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]];
const WEIGHTS: [f64; 3] = [0.5, 1.0, 4.0];

fn hard(labels: [u16; 2]) -> Batch {
    Batch::hard(Tensor::zeros([2, 1, 1, 1], &device()), labels.into()).unwrap()
}

fn soft() -> Batch {
    Batch::soft(Tensor::zeros([2, 1, 1, 1], &device()), SHARES.as_flattened().into(), 3).unwrap()
}

/// The loss, and its slope at each output.
fn with_slopes<const N: usize>(
    outputs: [[f32; N]; 2],
    loss: impl Fn(Tensor<2>) -> Result<Tensor<1>, TrainError>,
) -> (f32, Vec<f32>) {
    let outputs = matrix(outputs).require_grad();
    let loss = loss(outputs.clone()).unwrap();
    let slopes = outputs.grad(&loss.backward()).unwrap();
    (loss.into_scalar::<f32>(), slopes.into_data().try_to_vec().unwrap())
}

fn assert_close((value, slopes): (f32, Vec<f32>), expected: (f32, [f32; 6]), what: &str) {
    // Four units in the last place of a number of about 1, or as many of a larger one.
    let close = |a: f32, b: f32| (a - b).abs() <= 5e-7 * b.abs().max(1.0);
    let all = slopes.iter().zip(&expected.1).all(|(a, b)| close(*a, *b));
    assert!(close(value, expected.0) && all, "{what}: {value} {slopes:?}, not {expected:?}");
}

#[test]
fn hard_soft_and_smoothed_targets_give_pytorchs_losses() {
    // torch.nn.functional.cross_entropy(tensor([[1, 2, 3], [.5, -1, 0]]), targets, label_smoothing=s)
    for (label_smoothing, batch, expected) in [
        (0.0, hard([2, 0]), 0.505_868_3),
        (0.1, hard([2, 0]), 0.589_201_6),
        (0.0, soft(), 0.855_868_3),
        (0.1, soft(), 0.904_201_6),
    ] {
        let loss = CrossEntropy { label_smoothing, ..CrossEntropy::default() };
        let found = loss.mean(matrix(LOGITS), &batch.targets).unwrap().into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    }
}

// Expected, by PyTorch 2.15 (F = torch.nn.functional):
//
//   x = tensor([[1., 2., 3.], [.5, -1., 0.]], requires_grad=True); w = tensor([.5, 1., 4.])
//   y = tensor([2, 0]); q = tensor([[.2, .3, .5], [1., 0., 0.]])
//   l = F.cross_entropy(x, y or q, weight=w, label_smoothing=s); torch.autograd.grad(l, x)
#[test]
fn class_weights_give_pytorchs_losses_and_slopes() {
    for (label_smoothing, batch, loss, slopes) in [
        (
            0.0,
            hard([2, 0]),
            0.429_442,
            [0.080_027_2, 0.217_536_4, -0.297_563_6, -0.050_383_4, 0.013_550_2, 0.036_833_2],
        ),
        (
            0.0,
            soft(),
            0.890_159_8,
            [0.058_036_7, 0.143_674_2, -0.201_710_8, -0.113_362_7, 0.030_487_9, 0.082_874_7],
        ),
        (
            0.1,
            hard([2, 0]),
            0.468_457_5,
            [0.071_988_7, 0.198_345_8, -0.270_334_4, -0.026_781_9, 0.009_756_2, 0.017_025_8],
        ),
        (
            0.1,
            soft(),
            0.985_553,
            [0.052_152_5, 0.135_073_5, -0.187_226, -0.060_259_4, 0.021_951_3, 0.038_308],
        ),
    ] {
        let weighted = CrossEntropy { label_smoothing, class_weights: WEIGHTS.into() };
        let found = with_slopes(LOGITS, |logits| weighted.of_batch(logits, &batch));
        assert_close(found, (loss, slopes), &format!("smoothing {label_smoothing}"));
        let again = weighted.mean(matrix(LOGITS), &batch.targets).unwrap().into_scalar::<f32>();
        assert!((again - loss).abs() < 5e-7, "{again}, not {loss}");
    }
}

// Expected, by PyTorch 2.15, with x, w, q as above and h = F.one_hot(y, 3).float():
//
//   lp = x.log_softmax(1); l = -(t * alpha * (1 - lp.exp()) ** gamma * lp).sum(1).mean()
//
// of t = h or q and alpha = 1 or w.
#[test]
fn focal_losses_and_slopes_are_those_of_its_formula() {
    for (gamma, weighted, batch, loss, slopes) in [
        (
            2.0,
            false,
            hard([2, 0]),
            0.084_948_8,
            [0.013_216_8, 0.035_927_1, -0.049_143_9, -0.114_510_9, 0.030_796_7, 0.083_714_2],
        ),
        (
            2.0,
            true,
            hard([2, 0]),
            0.122_410_6,
            [0.052_867_3, 0.143_708_3, -0.196_575_6, -0.057_255_5, 0.015_398_4, 0.041_857_1],
        ),
        (
            0.5,
            true,
            hard([2, 0]),
            0.573_371_8,
            [0.146_373_7, 0.397_885_1, -0.544_258_7, -0.104_13, 0.028_004_9, 0.076_125_1],
        ),
        (
            2.0,
            false,
            soft(),
            0.393_332,
            [-0.089_907_5, -0.075_693_9, 0.165_601_5, -0.114_510_9, 0.030_796_7, 0.083_714_2],
        ),
        (
            0.5,
            true,
            soft(),
            0.635_866,
            [0.039_028_4, 0.091_095_3, -0.130_123_6, -0.104_13, 0.028_004_9, 0.076_125_1],
        ),
    ] {
        let alpha = if weighted { WEIGHTS.to_vec() } else { Vec::new() };
        let focal = Focal { gamma, alpha };
        let found = with_slopes(LOGITS, |logits| focal.of_batch(logits, &batch));
        assert_close(found, (loss, slopes), &format!("{focal:?}"));
    }
}

#[test]
fn a_focal_loss_without_focus_is_the_cross_entropy() {
    let focal = Focal { gamma: 0.0, ..Focal::default() };
    for batch in [hard([2, 0]), soft()] {
        let expected = with_slopes(LOGITS, |x| CrossEntropy::default().of_batch(x, &batch));
        let slopes = expected.1.try_into().unwrap();
        let found = with_slopes(LOGITS, |x| focal.of_batch(x, &batch));
        assert_close(found, (expected.0, slopes), "gamma 0");
    }
}

#[test]
fn a_focal_loss_of_certain_images_has_a_slope() {
    // All probabilities are 1 or 0 in 32 bits, where the slope of (1 − p)^½ is infinite.
    let sure = [[200.0, 0.0, -200.0], [0.0, 0.0, 300.0]];
    for batch in [hard([0, 2]), soft()] {
        for gamma in [0.0, 0.5, 1.0, 2.0] {
            let focal = Focal { gamma, ..Focal::default() };
            let (loss, slopes) = with_slopes(sure, |logits| focal.of_batch(logits, &batch));
            let finite = loss.is_finite() && slopes.iter().all(|slope| slope.is_finite());
            assert!(finite, "{gamma}: {loss} {slopes:?}");
        }
    }
}

// Expected, by PyTorch 2.15:
//
//   x = tensor([[0., 2., -3.], [30., -200., .5]], requires_grad=True)
//   l = F.binary_cross_entropy_with_logits(x, tensor([[0., 1., .25], [1., 1., 1.]]))
//   p = tensor([[.5, .9, .1], [0., 1., 0.]], requires_grad=True); z = tensor([[0., 1., .25], [1., 1., 0.]])
//   l = F.binary_cross_entropy(p, z); l = F.mse_loss(p, z)
#[test]
fn losses_of_pixels_are_those_of_pytorch() {
    let logits = [[0.0, 2.0, -3.0], [30.0, -200.0, 0.5]];
    let targets = [[0.0, 1.0, 0.25], [1.0, 1.0, 1.0]];
    let expected = [0.083_333_3, -0.019_867_2, -0.033_762_4, 0.0, -0.166_666_7, -0.062_923_4];
    let loss = PixelLoss::BinaryCrossEntropyWithLogits;
    let found = with_slopes(logits, |outputs| loss.mean(outputs, matrix(targets)));
    assert_close(found, (33.682_12, expected), "logits");

    let outputs = [[0.5, 0.9, 0.1], [0.0, 1.0, 0.0]];
    let targets = [[0.0, 1.0, 0.25], [1.0, 1.0, 0.0]];
    let (loss, mut slopes) =
        with_slopes(outputs, |p| PixelLoss::BinaryCrossEntropy.mean(p, matrix(targets)));
    // PyTorch's slope is -1.7e11 where a probability of 0 should be 1; ours is documented to be 0. At
    // the two ends that are right it is 0 in PyTorch, and that of the other logarithm here.
    assert_eq!(slopes[3], 0.0);
    slopes.truncate(3);
    slopes.extend([0.0; 3]);
    let expected = [0.333_333_3, -0.185_185_2, -0.277_777_8, 0.0, 0.0, 0.0];
    assert_close((loss, slopes), (16.908_861, expected), "probabilities");

    let expected = [0.166_666_7, -0.033_333_3, -0.05, -0.333_333_3, 0.0, 0.0];
    let found = with_slopes(outputs, |p| PixelLoss::Mse.mean(p, matrix(targets)));
    assert_close(found, (0.213_75, expected), "mse");
}

#[test]
fn probabilities_beyond_0_to_1_or_near_its_ends_do_not_pass_for_others() {
    let loss = |outputs, targets| {
        with_slopes(outputs, |p| PixelLoss::BinaryCrossEntropy.mean(p, matrix(targets)))
    };
    for wrong in [-0.5, 1.5, f32::NAN] {
        for target in [0.0, 0.5, 1.0] {
            let (loss, _) = loss([[wrong, 0.5], [0.5, 0.5]], [[target, 0.5], [0.5, 0.5]]);
            assert!(loss.is_nan(), "{wrong} for {target}: {loss}");
        }
    }
    for end in [0.0, 1e-45, 1e-39, f32::MIN_POSITIVE, 1.0 - f32::EPSILON, 1.0] {
        let (loss, slopes) = loss([[end; 2]; 2], [[0.0, 0.5], [0.5, 1.0]]);
        let finite = loss.is_finite() && slopes.iter().all(|slope| slope.is_finite());
        assert!(finite, "{end}: {loss} {slopes:?}");
    }
}

// Expected: sklearn.utils.class_weight.compute_class_weight("balanced", classes=np.arange(3),
// y=[0] * 3 + [1] * 5 + [2] * 12)
#[test]
fn balanced_weights_are_those_of_scikit_learn() {
    let found = balanced_class_weights(&[3, 5, 12]).unwrap();
    let expected = [2.222_222_22, 1.333_333_33, 0.555_555_56];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8), "{found:?}");
    let error = balanced_class_weights(&[3, 0]).unwrap_err().to_string();
    assert_eq!(error, "class to balance is 1, but must be one that has images");
    assert!(balanced_class_weights(&[]).is_err());
}

#[test]
fn impossible_settings_are_refused() {
    let weights = |class_weights: &[f64]| {
        let class_weights = class_weights.into();
        CrossEntropy { class_weights, ..CrossEntropy::default() }.check(Some(3))
    };
    for (wrong, said) in [
        (0.0, "0"),
        (-1.0, "-1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (1e-60, "1e-60"),
        (1e60, "1e60"),
    ] {
        let error = weights(&[1.0, wrong, 1.0]).unwrap_err().to_string();
        assert_eq!(error, format!("class weight is {said}, but must be above 0"));
        assert!(Focal { alpha: vec![wrong; 3], ..Focal::default() }.check(None).is_err());
    }
    let error = weights(&[1.0, 1.0]).unwrap_err().to_string();
    assert_eq!(error, "number of class weights is 2, but must be one for each class");
    assert!(weights(&WEIGHTS).is_ok() && weights(&[]).is_ok());
    for gamma in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(Focal { gamma, ..Focal::default() }.check(None).is_err(), "{gamma}");
    }
    for label_smoothing in [1.0, -0.1, f64::NAN] {
        let loss = CrossEntropy { label_smoothing, ..CrossEntropy::default() };
        let error = loss.mean(matrix(LOGITS), &hard([0, 1]).targets);
        assert!(matches!(error, Err(TrainError::Setting { .. })), "{label_smoothing}");
    }
}

#[test]
fn targets_that_the_logits_do_not_have_are_refused() {
    let message = |targets| cross_entropy(matrix(LOGITS), &targets).unwrap_err().to_string();
    let hard_of = |labels: &[i32]| Targets::Hard(Tensor::from_ints(labels, &device()));
    assert_eq!(message(hard_of(&[0, 3])), "label 3 is not one of the 3 classes of the logits");
    assert_eq!(message(hard_of(&[-1, 0])), "label -1 is not one of the 3 classes of the logits");
    assert_eq!(message(hard_of(&[0, 1, 2])), "the targets are of shape [3], expected [2]");
    let four = Targets::Soft(Tensor::zeros([2, 4], &device()));
    assert_eq!(message(four), "the targets are of shape [2, 4], expected [2, 3]");
    let losses: [&dyn Loss; 2] = [&CrossEntropy::default(), &Focal::default()];
    for loss in losses {
        let error = loss.of_batch(matrix(LOGITS), &hard([0, 3])).unwrap_err();
        assert!(matches!(error, TrainError::Label { label: 3, classes: 3 }), "{error}");
        let error = loss.of_batch(matrix([[1.0, 2.0]; 2]), &soft()).unwrap_err();
        assert!(matches!(error, TrainError::Label { .. } | TrainError::Targets { .. }), "{error}");
    }
}

#[test]
fn losses_are_read_as_they_are_written_and_unknown_settings_are_refused() {
    let smoothed = CrossEntropy { label_smoothing: 0.1, class_weights: WEIGHTS.into() };
    for loss in [ClassificationLoss::default(), smoothed.into(), Focal::default().into()] {
        let text = serde_json::to_string(&loss).unwrap();
        assert_eq!(serde_json::from_str::<ClassificationLoss>(&text).unwrap(), loss, "{text}");
    }
    let read = serde_json::from_str::<ClassificationLoss>;
    assert_eq!(read(r#"{"name": "cross_entropy"}"#).unwrap(), ClassificationLoss::default());
    let error = read(r#"{"name": "focal", "alhpa": [1.0]}"#).unwrap_err().to_string();
    assert!(error.contains("unknown field"), "{error}");
    let error = read(r#"{"name": "hinge"}"#).unwrap_err().to_string();
    assert!(error.contains("unknown variant"), "{error}");
    let read = serde_json::from_str::<crate::Reconstruct>;
    let logits = PixelLoss::BinaryCrossEntropyWithLogits;
    let text = r#"{"loss": "binary_cross_entropy_with_logits"}"#;
    assert_eq!(read(text).unwrap(), crate::Reconstruct { loss: logits });
}
