use proptest::prelude::*;
use selvedge_data::SplitMix64;

use super::*;
use crate::statistics::{normal, smallest_p};

fn variant(name: &str, values: &[f64]) -> Variant {
    Variant { name: name.into(), values: (0..).zip(values.iter().copied()).collect() }
}

fn noise(rng: &mut SplitMix64, count: usize) -> Vec<f64> {
    // Away from 0, whose quantile is infinite.
    (0..count).map(|_| normal::quantile(rng.unit().max(1e-12))).collect()
}

// Expected: of the differences of each variant from the first, numpy.mean(d) and
// scipy.stats.permutation_test((d, zeros(6)), lambda a, b: mean(a - b), permutation_type="samples",
// n_resamples=inf).pvalue; the adjusted ones are worked out by hand, 3 · 0.03125 and 2 · 0.0625.
#[test]
fn variants_beside_a_baseline_have_the_figures_of_scipy() {
    let variants = [
        variant("plain", &[0.90, 0.91, 0.92, 0.93, 0.94, 0.95]),
        variant("wide", &[0.9327, 0.9315, 0.9712, 0.9259, 0.9690, 0.9886]),
        variant("deep", &[0.91, 0.922, 0.928, 0.941, 0.953, 0.959]),
        variant("same", &[0.902, 0.909, 0.923, 0.931, 0.938, 0.9515]),
    ];
    let found = compare(&variants, 0, Better::Higher, 1).unwrap();
    let names: Vec<usize> = found.iter().map(|c| c.variant).collect();
    assert_eq!(names, [1, 2, 3]);
    let expected = [0.02815, 0.0105, 0.000_75];
    for (comparison, expected) in found.iter().zip(expected) {
        assert!((comparison.difference - expected).abs() < 1e-12, "{comparison:?}");
        assert_eq!(comparison.n, 6);
    }
    let p = |of: fn(&Comparison) -> f64| found.iter().map(of).collect::<Vec<_>>();
    assert_eq!(p(|c| c.p), [0.0625, 0.03125, 0.4375]);
    assert_eq!(p(|c| c.p_holm), [0.125, 0.09375, 0.4375]);
    assert_eq!(p(|c| c.p_step_down), [0.09375, 0.03125, 0.4375]);
    assert_eq!(found.iter().map(Comparison::is_chance).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(p(|c| c.superiority.probability), [5.0 / 6.0, 1.0, 4.0 / 6.0]);
    assert_eq!(best(&variants, Better::Higher), Ok(Some(1)));
    assert_eq!(best(&variants, Better::Lower), Ok(Some(0)));
    assert_eq!(best(&[], Better::Lower), Ok(None));
}

#[test]
fn where_less_is_better_the_smaller_one_wins() {
    let variants = [variant("a", &[0.3, 0.4, 0.5]), variant("b", &[0.2, 0.3, 0.6])];
    let found = compare(&variants, 0, Better::Lower, 1).unwrap();
    assert!((found[0].superiority.probability - 2.0 / 3.0).abs() < 1e-15);
    assert!(found[0].difference < 0.0);
}

#[test]
fn what_cannot_be_compared_is_refused_by_name_and_seed() {
    let plain = variant("plain", &[0.5, 0.6]);
    let message = |variants: &[Variant], reference| {
        compare(variants, reference, Better::Higher, 0).unwrap_err().to_string()
    };
    let mut later = plain.clone();
    later.name = "later\n".into();
    later.values[0].0 = 9;
    assert_eq!(
        message(&[plain.clone(), later], 0),
        r"`later\n` and `plain` have 1 seeds in common: a comparison takes at least 2"
    );
    let diverged = variant("fast", &[0.5, f64::NAN]);
    let expected = "`fast` is NaN with seed 1: leave out runs that failed";
    assert_eq!(message(&[plain.clone(), diverged.clone()], 0), expected);
    assert_eq!(message(&[plain.clone(), diverged], 1), expected);
    let twice = Variant { name: "twice".into(), values: vec![(4, 0.1), (4, 0.1)] };
    assert_eq!(message(&[plain.clone(), twice], 0), "`twice` has seed 4 twice");
    assert_eq!(
        message(&[plain], 1),
        "there is no variant 1 to compare with: there are 1, counted from 0"
    );
    let long = variant(&"x".repeat(10_000), &[]);
    assert!(message(&[long.clone(), long], 0).len() < 300);
}

// Without a difference the exact test of ten pairs rejects with the probability 50/1024, as of 1,024 signs
// those of p ≤ 0.05 come in pairs: 97.7 of 2,000. Bounds: scipy.stats.binom.ppf([1e-4, 1 - 1e-4], 2000, 50/1024).
#[test]
fn of_2000_studies_without_a_difference_a_twentieth_rejects() {
    let mut rng = SplitMix64::new(20);
    let mut rejected = 0;
    for _ in 0..2_000 {
        let [a, b] = [(); 2].map(|()| noise(&mut rng, 10));
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        rejected += usize::from(sign_flip_p(&differences).unwrap() <= 0.05);
    }
    assert!((64..=135).contains(&rejected), "{rejected}");
}

// Four variants without a difference beside a fifth: any rejection is an error, of which there may be a
// twentieth, 100 of 2,000; bound: scipy.stats.binom.ppf(1 - 1e-4, 2000, 0.05). The common baseline of skewed values
// makes all differences lean to one side, and must not let more of them reject. With six seeds Holm never rejects.
#[test]
fn of_2000_studies_of_five_equal_variants_a_twentieth_rejects_any() {
    let skewed: fn(&mut SplitMix64, usize) -> Vec<f64> =
        |rng, count| noise(rng, count).into_iter().map(|value| libm::exp(1.5 * value)).collect();
    for draw in [noise, skewed] {
        let mut rng = SplitMix64::new(21);
        let mut rejected = 0;
        for _ in 0..2_000 {
            let base = draw(&mut rng, 6);
            let variant =
                |_| draw(&mut rng, 6).iter().zip(&base).map(|(a, b)| Some(a - b)).collect();
            let pairs: Vec<Vec<Option<f64>>> = (0..4).map(variant).collect();
            rejected += usize::from(step_down_p(&pairs).into_iter().flatten().any(|p| p < 0.05));
        }
        assert!((10..=138).contains(&rejected), "{rejected}");
    }
    assert_eq!(holm(&[Some(smallest_p(6)); 4]), [Some(0.125); 4]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_seeds_and_a_common_shift_change_nothing(
        pairs in prop::collection::vec((0_i32..100, 0_i32..100), 2..8),
        shift in -50_i32..50,
        turn in 0_usize..8,
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) =
            pairs.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
        let found = compare(&[variant("a", &a), variant("b", &b)], 0, Better::Higher, 2).unwrap();
        let moved = |values: &[f64]| {
            let mut moved = variant("x", values);
            moved.values.iter_mut().for_each(|(_, value)| *value += f64::from(shift));
            let turn = turn % values.len();
            moved.values.rotate_left(turn);
            moved
        };
        let again = compare(&[moved(&a), moved(&b)], 0, Better::Higher, 2).unwrap();
        prop_assert_eq!(&again, &found);
        let turned = compare(&[variant("a", &a), variant("b", &b)], 1, Better::Lower, 2).unwrap();
        prop_assert_eq!(turned[0].p, found[0].p);
        prop_assert_eq!(turned[0].difference, -found[0].difference);
        prop_assert_eq!(turned[0].superiority, found[0].superiority);
    }
}
