//! Small made-up data sets for this crate's unit tests.

use crate::{ImageDataset, SplitMix64};

/// Images of 1×2×3 random bytes; `sizes[c]` images of class `c`, mixed.
pub(crate) fn synthetic(sizes: &[usize]) -> ImageDataset {
    let mut rng = SplitMix64::new(99);
    let mut labels: Vec<u16> =
        (0u16..).zip(sizes).flat_map(|(label, &n)| std::iter::repeat_n(label, n)).collect();
    rng.shuffle(&mut labels);
    let images = (0..6 * labels.len()).map(|_| rng.below(256) as u8).collect();
    let classes = (0..sizes.len()).map(|c| format!("class {c}")).collect();
    ImageDataset::new("synthetic", images, [1, 2, 3], labels, classes).unwrap()
}
