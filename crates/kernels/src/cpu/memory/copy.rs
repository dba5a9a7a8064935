//! Copies of a few elements.

/// Copies a row by vectors, the last of which overlaps the one before it: rows are too short for a call of `memcpy`.
///
/// # Panics
///
/// Panics if the lengths differ.
#[inline(always)]
pub(crate) fn copy_row(from: &[f32], to: &mut [f32]) {
    let len = from.len();
    assert_eq!(len, to.len(), "a place for each element");
    match len {
        0..4 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
        4..8 => copy_vectors::<4>(from, to),
        8..16 => copy_vectors::<8>(from, to),
        _ => copy_vectors::<16>(from, to),
    }
}

/// The same of at least `N` elements.
#[inline(always)]
fn copy_vectors<const N: usize>(from: &[f32], to: &mut [f32]) {
    let last = from.len() - N;
    let mut at = 0;
    while at < last {
        copy_vector::<N>(from, to, at);
        at += N;
    }
    copy_vector::<N>(from, to, last);
}

#[inline(always)]
fn copy_vector<const N: usize>(from: &[f32], to: &mut [f32], at: usize) {
    let from: &[f32; N] = from[at..].first_chunk().expect("as many elements");
    let to: &mut [f32; N] = to[at..].first_chunk_mut().expect("as many elements");
    *to = *from;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_are_copied_whole_and_nothing_beside_them() {
        for len in 0..70 {
            let from: Vec<f32> = (0..len).map(|i| i as f32 + 1.0).collect();
            let mut to = vec![0.0; len + 2];
            copy_row(&from, &mut to[1..=len]);
            assert_eq!(to[1..=len], from);
            assert_eq!((to[0], to[len + 1]), (0.0, 0.0));
        }
    }
}
