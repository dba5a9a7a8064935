use selvedge_train::Metrics;

use super::super::{TargetRun, TransferConfig};
use super::*;

/// Test accuracies by fraction and seed, in per cent: from random weights and from transferred ones.
fn results(fractions: &[(f64, &[(f64, f64)])]) -> TransferResults {
    let pairs = fractions.first().map_or(0, |(_, pairs)| pairs.len() as u64);
    let mut curve = Vec::new();
    for &(fraction, pairs) in fractions {
        for (i, &(random, transferred)) in pairs.iter().enumerate() {
            for (start, percent) in Start::ALL.into_iter().zip([random, transferred]) {
                let metrics = Metrics { loss: 0.5, accuracy: percent / 100.0, macro_f1: 0.0 };
                curve.push(TargetRun {
                    fraction,
                    images: (fraction * 1000.0) as usize,
                    start,
                    seed: i as u64,
                    epochs: 1,
                    best_epoch: 1,
                    train: metrics,
                    validation: metrics,
                    test: metrics,
                });
            }
        }
    }
    let mut results = TransferResults {
        experiment: "transfer_learning".into(),
        version: "1".into(),
        device: "flex".into(),
        seeds: (0..pairs).collect(),
        config: TransferConfig::default(),
        source: "A".into(),
        target: "B".into(),
        pretrain: Vec::new(),
        curve,
        diverged: Vec::new(),
        rows: Vec::new(),
        complete: true,
        images_per_second: 1.0,
        wall_seconds: 1.0,
    };
    results.rows = results.compare();
    results
}

/// Differences of 1 to 6 points.
const BETTER: [(f64, f64); 6] =
    [(80.0, 81.0), (82.0, 84.0), (84.0, 87.0), (80.0, 84.0), (82.0, 87.0), (84.0, 90.0)];
/// Differences of both signs and most of them small.
const UNCLEAR: [(f64, f64); 6] =
    [(90.0, 91.0), (91.0, 90.0), (90.0, 90.0), (90.0, 90.0), (90.0, 90.0), (90.0, 90.5)];
/// Differences of ± 1.
const ALIKE: [(f64, f64); 6] =
    [(90.0, 91.0), (91.0, 90.0), (90.0, 91.0), (91.0, 90.0), (90.0, 91.0), (91.0, 90.0)];

// Expected: means and numpy.std(ddof=1) of BETTER: 82 ± 1.79 and 85.5 ± 3.15; of 64 assignments of signs
// to 1 … 6 only the two of equal signs sum to 21. The interval is that of bca_interval, which is held to
// scipy's elsewhere: scipy.stats.bootstrap(([1, 2, 3, 4, 5, 6],), numpy.mean) gives 2.17 to 4.83,
// where neighbouring means are 0.17 apart.
#[test]
fn a_row_has_means_paired_differences_their_interval_and_p() {
    let results = results(&[(0.1, &BETTER)]);
    let difference = results.rows[0].difference.unwrap();
    assert_eq!(difference.pairs, 6);
    assert!((difference.mean - 0.035).abs() < 1e-12);
    assert_eq!([difference.p, difference.adjusted_p], [2.0 / 64.0; 2]);
    let interval = difference.interval.unwrap();
    assert!((interval.low - 0.0217).abs() < 0.002, "{interval:?}");
    assert!((interval.high - 0.0483).abs() < 0.002, "{interval:?}");
    let expected = format!(
        "fraction   images           random      transferred  difference     95 % interval       p  adjusted\n    \
         10 %      100   82.00 ± 1.79 %   85.50 ± 3.15 %       +3.50    {:+.2} to {:+.2}   0.031     0.031\n",
        100.0 * interval.low,
        100.0 * interval.high
    );
    assert_eq!(results.table(), expected);
}

#[test]
fn the_answer_names_the_fractions_at_which_the_difference_is_more_than_chance() {
    let answer = |fractions: &[(f64, &[(f64, f64)])]| results(fractions).answer();
    assert_eq!(
        answer(&[(0.1, &BETTER)]),
        "Does pre-training on A help on B? Yes, more than chance at 10 % of the images (sign-flip test, \
         p < 0.05). With 100 images, 85.5 % of the test images are right instead of 82.0 %"
    );
    assert_eq!(
        answer(&[(0.02, &BETTER), (0.05, &BETTER), (0.1, &BETTER)]),
        "Does pre-training on A help on B? Yes, more than chance at 2 %, 5 % and 10 % of the images \
         (sign-flip test, p < 0.05 adjusted for 3 comparisons). With 20 images, 85.5 % of the test \
         images are right instead of 82.0 %"
    );
    assert_eq!(
        answer(&[(0.02, &UNCLEAR), (0.05, &BETTER)]),
        "Does pre-training on A help on B? Yes, more than chance at 5 % of the images (sign-flip test, \
         p < 0.05 adjusted for 2 comparisons); at 2 % it may be chance. With 50 images, 85.5 % of the test \
         images are right instead of 82.0 %"
    );
    let worse = BETTER.map(|(random, transferred)| (transferred, random));
    assert_eq!(
        answer(&[(0.1, &worse)]),
        "Does pre-training on A help on B? It harms, more than chance at 10 % of the images (sign-flip \
         test, p < 0.05). With 100 images, 82.0 % of the test images are right instead of 85.5 %"
    );
    assert_eq!(
        answer(&[(0.1, &ALIKE)]),
        "Does pre-training on A help on B? Not more than chance at any fraction (sign-flip test, \
         p < 0.05). With 100 images, 90.5 % of the test images are right instead of 90.5 %"
    );
}

#[test]
fn too_few_seeds_cannot_tell_whatever_they_find() {
    for (pairs, words) in [
        (
            1,
            "1 seed cannot tell: no p is below 1.00, and only 6 seeds or more can bring it below 0.05",
        ),
        (
            3,
            "3 seeds cannot tell: no p is below 0.25, and only 6 seeds or more can bring it below 0.05",
        ),
        (
            5,
            "5 seeds cannot tell: no p is below 0.06, and only 6 seeds or more can bring it below 0.05",
        ),
    ] {
        let answer = results(&[(0.1, &BETTER[..pairs])]).answer();
        assert!(answer.contains(words), "{answer}");
    }
}

#[test]
fn a_run_that_is_missing_takes_its_pair_away_and_nothing_else() {
    let mut results = results(&[(0.1, &BETTER), (0.2, &BETTER)]);
    results.curve.retain(|run| run.fraction != 0.1 || run.seed != 5 || run.start == Start::Random);
    results.rows = results.compare();
    let difference = results.rows[0].difference.unwrap();
    assert_eq!(difference.pairs, 5);
    assert!((difference.mean - 0.03).abs() < 1e-12);
    assert_eq!(results.rows[0].random.unwrap().runs, 6);
    assert_eq!(results.rows[1].difference.unwrap().pairs, 6);
    // Without any pair there is a row all the same.
    results.curve.retain(|run| run.fraction != 0.1 || run.start == Start::Random);
    results.rows = results.compare();
    assert_eq!(results.rows[0].difference, None);
    assert!(results.table().contains(" –"), "{}", results.table());
    results.curve.clear();
    results.rows = results.compare();
    assert_eq!(results.answer(), "Does pre-training on A help on B? No pair of runs is complete");
}
