use burn::tensor::{Device, Tensor, TensorData};

use crate::TrainError;
use crate::error::require;

/// Class weights with which every class counts for the same in all: n/(K·count) of n images and K classes,
/// as scikit-learn's `compute_class_weight("balanced")` (King and Zeng, 2001).
///
/// ```
/// use selvedge_train::{Classify, CrossEntropy, balanced_class_weights};
///
/// // Of a view: `view.class_counts()`.
/// let class_weights = balanced_class_weights(&[10, 30])?;
/// assert_eq!(class_weights, [2.0, 2.0 / 3.0]);
/// let task = Classify { loss: CrossEntropy { class_weights, ..CrossEntropy::default() } };
/// # let _ = task;
/// # Ok::<(), selvedge_train::TrainError>(())
/// ```
///
/// # Errors
///
/// [`TrainError::Setting`] if there is no class, or a class without images, which has no such weight.
pub fn balanced_class_weights(counts: &[usize]) -> Result<Vec<f64>, TrainError> {
    require(!counts.is_empty(), "number of classes to balance", 0, "at least 1")?;
    let empty = counts.iter().position(|&count| count == 0);
    let name = "class to balance";
    require(empty.is_none(), name, empty.unwrap_or_default(), "one that has images")?;
    let images = counts.iter().sum::<usize>() as f64;
    Ok(counts.iter().map(|&count| images / (counts.len() as f64 * count as f64)).collect())
}

/// Refuses weights that are not one above 0 for each class; none are as good.
pub(super) fn check_class_weights(
    weights: &[f64],
    classes: Option<usize>,
) -> Result<(), TrainError> {
    // On the device they have 32 bits.
    let possible = |weight: f64| weight as f32 > 0.0 && (weight as f32).is_finite();
    if let Some(&weight) = weights.iter().find(|weight| !possible(**weight)) {
        return require(false, "class weight", weight, "above 0");
    }
    let fits = weights.is_empty() || classes.is_none_or(|classes| classes == weights.len());
    require(fits, "number of class weights", weights.len(), "one for each class")
}

/// `[classes]`
pub(super) fn on_device(weights: &[f64], device: &Device) -> Tensor<1> {
    let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    let classes = weights.len();
    Tensor::from_data(TensorData::new(weights, [classes]), device)
}

/// What images of these classes count for in all.
pub(super) fn weight_of_labels(weights: &[f64], labels: &[u16]) -> f64 {
    match weights {
        [] => labels.len() as f64,
        _ => labels.iter().filter_map(|&label| weights.get(usize::from(label))).sum(),
    }
}
