//! Images that two data sets have in common.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::ImageDataset;

/// The positions of the images of `test` that are in `train` as well, in ascending order; of data sets
/// of one shape.
///
/// Every image is hashed once, so that the cost is that of reading both, even where all are blank.
pub(super) fn images(train: &ImageDataset, test: &ImageDataset) -> Vec<usize> {
    let mut groups: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for position in 0..test.len() {
        groups.entry(test.image(position)).or_default().push(position);
    }
    let mut firsts: Vec<usize> = (0..train.len())
        .into_par_iter()
        .filter_map(|i| groups.get(train.image(i)).map(|group| group[0]))
        .collect();
    firsts.sort_unstable();
    firsts.dedup();
    let mut shared: Vec<usize> =
        firsts.into_iter().flat_map(|first| &groups[test.image(first)]).copied().collect();
    shared.sort_unstable();
    shared
}
