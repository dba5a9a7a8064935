//! Several tests at once, whatever they have to do with each other.

/// The p-values of several tests, adjusted so that the chance of *any* below 0.05 among those without a
/// true difference is 0.05 at most, whatever the tests have in common: S. Holm, *A simple sequentially
/// rejective multiple test procedure*, Scandinavian Journal of Statistics 1979.
///
/// The smallest of k is multiplied by k, the next by k − 1, and so on; none falls below the one before it, or
/// rises above 1. `None` stays `None` and is not counted.
///
/// With few seeds this can be too strict to find anything: of six, [`sign_flip_p`](super::sign_flip_p) is
/// 0.03125 at best, which two tests already lift above 0.05. [`step_down_p`](super::step_down_p) has no such bound.
///
/// ```
/// use selvedge_study::statistics::holm;
///
/// assert_eq!(holm(&[Some(0.01), None, Some(0.5)]), [Some(0.02), None, Some(0.5)]);
/// ```
///
/// # Panics
///
/// Panics if a p is not from 0 to 1.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        p.iter().enumerate().filter_map(|(i, p)| p.map(|p| (i, p))).collect();
    assert!(
        order.iter().all(|(_, p)| (0.0..=1.0).contains(p)),
        "p: expected 0 to 1, got {order:?}"
    );
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; p.len()];
    let mut before = 0.0_f64;
    for (rank, &(index, p)) in order.iter().enumerate() {
        before = before.max(p * (order.len() - rank) as f64).min(1.0);
        adjusted[index] = Some(before);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Expected: statsmodels.stats.multitest.multipletests(p, method="holm")[1] (statsmodels 0.15.0)
    #[test]
    fn adjusted_p_are_those_of_statsmodels() {
        let p = [0.031_25, 0.002, 0.0469, 0.3, 0.002, 0.0098, 0.8];
        let expected = [0.125, 0.014, 0.1407, 0.6, 0.014, 0.049, 0.8];
        for (found, expected) in holm(&p.map(Some)).into_iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-15, "{found:?} {expected}");
        }
    }

    #[test]
    fn without_tests_there_is_nothing_to_adjust_and_one_stays_as_it_is() {
        assert_eq!(holm(&[]), []);
        assert_eq!(holm(&[None, None]), [None, None]);
        assert_eq!(holm(&[Some(0.04)]), [Some(0.04)]);
    }

    proptest! {
        #[test]
        fn an_adjusted_p_lies_between_its_own_and_bonferronis(p in prop::collection::vec(0.0..=1.0, 1..12)) {
            let adjusted = holm(&p.iter().copied().map(Some).collect::<Vec<_>>());
            let smallest = p.iter().copied().fold(1.0, f64::min);
            for (own, adjusted) in p.iter().zip(adjusted) {
                let adjusted = adjusted.unwrap();
                let bonferroni = (own * p.len() as f64).min(1.0);
                prop_assert!(*own <= adjusted && adjusted <= bonferroni.max(smallest * p.len() as f64));
            }
        }

        #[test]
        fn the_order_of_the_tests_does_not_matter(
            p in prop::collection::vec(prop::option::of(0.0..=1.0), 1..12),
            turn in 0_usize..12,
        ) {
            let turn = turn % p.len();
            let mut turned = p.clone();
            turned.rotate_left(turn);
            let mut expected = holm(&p);
            expected.rotate_left(turn);
            prop_assert_eq!(holm(&turned), expected);
        }
    }
}
