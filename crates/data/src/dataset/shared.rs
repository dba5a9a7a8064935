//! Images that two parts have in common.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::View;

/// The positions of the images of `b` that are in `a` as well, byte by byte, in ascending order; of views of one
/// shape.
///
/// Every image is hashed three times at most, so that the cost is that of reading both, even where all are blank.
pub(crate) fn shared_positions(a: &View, b: &View) -> Vec<usize> {
    let (small, large) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let known: HashSet<&[u8]> = (0..small.len()).map(|position| small.image(position)).collect();
    let common: HashSet<&[u8]> = (0..large.len())
        .into_par_iter()
        .map(|position| large.image(position))
        .filter(|image| known.contains(image))
        .collect();
    if common.is_empty() {
        return Vec::new();
    }
    (0..b.len()).into_par_iter().filter(|&position| common.contains(b.image(position))).collect()
}
