//! Bad input, extreme values, and what holds of any predictions.

use proptest::prelude::*;

use super::*;
use crate::TrainError;

fn two(labels: &[u16], logits: &[f32]) -> Result<Predictions, TrainError> {
    Predictions::new(&["a", "b"].map(String::from), labels.into(), logits.into())
}

#[test]
fn what_is_no_prediction_is_refused_in_one_line() {
    let message = |result: Result<Predictions, TrainError>| result.unwrap_err().to_string();
    assert_eq!(message(two(&[], &[])), "the number of images is 0, but must be at least 1");
    assert_eq!(
        message(two(&[0, 2], &[0.0; 4])),
        "label 2 is not one of the 2 classes of the logits"
    );
    assert_eq!(
        message(two(&[0, 1], &[0.0; 3])),
        "the number of logits is 3, but must be the number of images times the number of classes"
    );
    assert_eq!(
        message(two(&[0, 1], &[0.0, 1.0, 2.0, f32::NAN])),
        "a logit is NaN (image 1, class 1), but must be finite"
    );
    let none = Predictions::new(&[], vec![0], vec![]);
    assert_eq!(message(none), "label 0 is not one of the 0 classes of the logits");
}

#[test]
fn settings_out_of_range_are_refused_in_one_line() {
    let some = two(&[0, 1], &[1.0, 0.0, 1.0, 0.0]).unwrap();
    assert_eq!(
        some.roc(2).unwrap_err().to_string(),
        "the class is 2, but must be below the number of classes"
    );
    assert!(some.precision_recall(2).is_err() && some.calibration(0).is_err());
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
        assert!(some.with_temperature(temperature).is_err(), "{temperature}");
    }
    assert_eq!(
        RocCurve::new(&[0.5, f64::NAN], &[true, false]).unwrap_err().to_string(),
        "a score is NaN, but must be finite"
    );
    assert!(RocCurve::new(&[], &[]).is_err());
    assert!(PrecisionRecallCurve::new(&[0.5], &[true, false]).is_err());
}

#[test]
fn without_a_best_temperature_it_is_said_why() {
    let message = |labels: &[u16], logits: &[f32]| {
        two(labels, logits).unwrap().best_temperature().unwrap_err().to_string()
    };
    assert_eq!(
        message(&[0, 1], &[1.0, 0.0, 0.0, 1.0]),
        "the best temperature is 0 (every image has its class at the highest logit), but must be above 0 and finite"
    );
    let chance = "the best temperature is infinite (the logits are no better than chance), but must be above 0 and finite";
    assert_eq!(message(&[0, 1], &[0.0, 1.0, 1.0, 0.0]), chance);
    assert_eq!(message(&[0, 1], &[1.0, 0.0, 1.0, 0.0]), chance);
}

#[test]
fn one_class_alone_is_always_right() {
    let only = Predictions::new(&["a".into()], vec![0, 0], vec![3.0, -7.0]).unwrap();
    assert_eq!((only.log_loss(), only.brier(), only.top_k(1).unwrap()), (0.0, 0.0, 1.0));
    assert_eq!(only.calibration(15).unwrap().expected_error(), 0.0);
    assert_eq!(only.average_precision(Average::Macro), 1.0);
    assert!(only.roc_auc(Average::Macro).is_nan() && only.best_temperature().is_err());
}

#[test]
fn the_largest_logits_overflow_nothing() {
    let most = f32::MAX;
    let odd = two(&[1, 0, 0], &[most, -most, most, -most, -most, most]).unwrap();
    assert!(odd.log_loss().is_finite() && odd.brier().is_finite());
    assert_eq!(odd.probabilities(0), [1.0, 0.0]);
    assert!((odd.losses()[0] / (2.0 * f64::from(most)) - 1.0).abs() < 1e-12);
}

fn any() -> impl Strategy<Value = Predictions> {
    (2usize..6, 1usize..40).prop_flat_map(|(classes, images)| {
        let labels = prop::collection::vec(0..classes as u16, images);
        // Few values, so that many are equal.
        let logits =
            prop::collection::vec((-6i8..7).prop_map(|v| f32::from(v) / 2.0), images * classes);
        (labels, logits).prop_map(move |(labels, logits)| {
            let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
            Predictions::new(&names, labels, logits).unwrap()
        })
    })
}

proptest! {
    #[test]
    fn the_area_under_a_roc_curve_is_the_share_of_pairs_in_the_right_order(found in any()) {
        for class in 0..found.classes().len() {
            let (mut pairs, mut right) = (0.0, 0.0);
            for (i, a) in found.labels().iter().enumerate() {
                for (j, b) in found.labels().iter().enumerate() {
                    if usize::from(*a) == class && usize::from(*b) != class {
                        let (p, q) = (found.probability(i, class), found.probability(j, class));
                        pairs += 1.0;
                        right += if p > q { 1.0 } else if p == q { 0.5 } else { 0.0 };
                    }
                }
            }
            let area = found.roc(class).unwrap().area();
            let expected: f64 = right / pairs;
            prop_assert!(area.is_nan() && expected.is_nan() || (area - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn averages_agree_where_they_must(found in any()) {
        let matrix = found.confusion();
        let [macro_, weighted, micro] =
            [Average::Macro, Average::Weighted, Average::Micro].map(|a| matrix.average(a));
        // Recall weighted by images is accuracy, as are all micro averages.
        prop_assert!((weighted.recall - matrix.accuracy()).abs() < 1e-12);
        prop_assert_eq!(micro.f1, matrix.accuracy());
        // The mean of classes lies between them.
        let recalls = || matrix.class_scores().into_iter().map(|c| c.recall);
        prop_assert!(macro_.recall >= recalls().fold(1.0, f64::min) - 1e-12);
        prop_assert!(macro_.recall <= recalls().fold(0.0, f64::max) + 1e-12);
        for (class, counts) in matrix.one_vs_rest().iter().enumerate() {
            let all = counts.true_negatives + counts.false_positives
                + counts.false_negatives + counts.true_positives;
            prop_assert_eq!(all, matrix.total());
            prop_assert_eq!(counts.true_positives, matrix.counts[class][class]);
        }
    }

    #[test]
    fn top_k_rises_from_the_accuracy_to_one(found in any()) {
        let classes = found.classes().len();
        let shares: Vec<f64> = (1..=classes).map(|k| found.top_k(k).unwrap()).collect();
        prop_assert_eq!(shares[0], found.confusion().accuracy());
        prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert_eq!(shares[classes - 1], 1.0);
    }

    #[test]
    fn no_other_temperature_is_better_than_the_best(found in any(), factor in 0.5f64..2.0) {
        if let Ok(best) = found.best_temperature() {
            let loss = |temperature| found.with_temperature(temperature).map(|p| p.log_loss());
            if let (Ok(at_best), Ok(beside)) = (loss(best), loss(best * factor)) {
                prop_assert!(at_best <= beside + 1e-6, "{} at {}: {} {}", best, factor, at_best, beside);
            }
        }
    }

    #[test]
    fn calibration_counts_every_image_once(found in any(), bins in 1usize..40) {
        let calibration = found.calibration(bins).unwrap();
        prop_assert_eq!(calibration.images(), found.len());
        prop_assert!((calibration.accuracy() - found.confusion().accuracy()).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&calibration.expected_error()));
        prop_assert!(calibration.expected_error() <= calibration.greatest_error() + 1e-12);
        for bin in calibration.bins.iter().filter(|bin| bin.images > 0) {
            let inside = bin.lower - 1e-12..=bin.upper + 1e-12;
            prop_assert!(inside.contains(&bin.confidence));
        }
    }
}
