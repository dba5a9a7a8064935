use burn::tensor::TensorData;

/// The largest difference between the elements of two tensors of one shape, relative to the largest element
/// of `expected`: by how much two ways of computing the same differ.
///
/// # Panics
///
/// Panics if the shapes differ.
///
/// ```
/// use burn::tensor::TensorData;
/// use selvedge_models::basics::relative_difference;
///
/// let [a, b] = [[1.0f32, 3.5], [1.0, 4.0]].map(TensorData::from);
/// assert_eq!(relative_difference(&a, &b), 0.125);
/// ```
pub fn relative_difference(found: &TensorData, expected: &TensorData) -> f32 {
    assert_eq!(found.shape(), expected.shape(), "relative_difference: found and expected shape");
    let pairs = found.iter::<f32>().zip(expected.iter::<f32>());
    let (difference, largest) = pairs
        .fold((0f32, f32::MIN_POSITIVE), |(d, m), (a, b)| (d.max((a - b).abs()), m.max(b.abs())));
    difference / largest
}
