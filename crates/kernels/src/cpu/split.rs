//! How work is shared among threads and cut to what a cache holds.

/// Multiply-adds of a group of images below which more threads are not worth their coordination: about
/// 80 µs of one core.
pub(crate) const SPLIT_WORK: usize = 4_000_000;

/// Splits `total` into the fewest pieces of at most `max`, as equal as possible: `(start, length)`.
pub(crate) fn even_pieces(total: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    let pieces = total.div_ceil(max);
    let (short, longer) = match pieces {
        0 => (0, 0),
        _ => (total / pieces, total % pieces),
    };
    (0..pieces).map(move |i| (i * short + i.min(longer), short + usize::from(i < longer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_once_and_differ_by_at_most_one() {
        for total in 0..50 {
            for max in 1..8 {
                let pieces: Vec<_> = even_pieces(total, max).collect();
                assert_eq!(pieces.len(), total.div_ceil(max));
                let mut next = 0;
                for &(start, len) in &pieces {
                    assert_eq!(start, next);
                    assert!(len >= 1 && len <= max && len + 1 >= pieces[0].1);
                    next += len;
                }
                assert_eq!(next, total);
            }
        }
    }
}
