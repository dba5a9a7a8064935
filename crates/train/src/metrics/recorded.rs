//! What scikit-learn 1.9.1, scipy 1.17.1 and NumPy give for the same logits:
//!
//! ```python
//! import numpy as np
//! from sklearn import metrics as m
//! from scipy.special import log_softmax, softmax
//! i, c = np.arange(24)[:, None], np.arange(4)[None, :]
//! y = (np.arange(24) * 5 + np.arange(24) // 7) % 4
//! z = ((i * 7 + c * 11 + i * c * 3) % 13) / 2 - 3 + 2.0 * (c == y[:, None])
//! p, pred = softmax(z, axis=1), z.argmax(1)
//! ```
//!
//! The tests say what was called with them. Five of the images have equal logits, one of them equal
//! highest ones.

use super::*;

fn logits() -> Predictions {
    let labels: Vec<u16> = (0..24).map(|i| (i * 5 + i / 7) % 4).collect();
    let mut logits = Vec::new();
    for (i, &label) in (0u16..).zip(&labels) {
        for c in 0..4 {
            let base = f32::from((i * 7 + c * 11 + i * c * 3) % 13) / 2.0 - 3.0;
            logits.push(base + if c == label { 2.0 } else { 0.0 });
        }
    }
    let names = ["T-shirt", "Trouser", "Pullover", "Ankle boot"].map(String::from);
    Predictions::new(&names, labels, logits).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
}

#[track_caller]
fn all_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let same = found == expected || found.is_nan() && expected.is_nan();
        assert!(same || (found - expected).abs() < 1e-12, "{found}, not {expected}");
    }
}

/// `y = [0, 0, 1, 1, 1]` and `pred = [0, 1, 1, 1, 2]`: class c has no image, d is not even predicted.
fn absent() -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new(&["a", "b", "c", "d"].map(String::from));
    for (truth, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1), (1, 2)] {
        matrix.add(truth, predicted);
    }
    matrix
}

#[test]
fn the_report_reads_as_scikit_learns_to_the_letter() {
    // print(m.classification_report(y, pred, target_names=names, zero_division=0)), then digits=4
    let matrix = logits().confusion();
    let two = "              precision    recall  f1-score   support

     T-shirt       1.00      0.57      0.73         7
     Trouser       0.57      0.57      0.57         7
    Pullover       0.64      1.00      0.78         7
  Ankle boot       0.50      0.33      0.40         3

    accuracy                           0.67        24
   macro avg       0.68      0.62      0.62        24
weighted avg       0.71      0.67      0.66        24
";
    assert_eq!(matrix.report().classification(), two);
    let four = "              precision    recall  f1-score   support

     T-shirt     1.0000    0.5714    0.7273         7
     Trouser     0.5714    0.5714    0.5714         7
    Pullover     0.6364    1.0000    0.7778         7
  Ankle boot     0.5000    0.3333    0.4000         3

    accuracy                         0.6667        24
   macro avg     0.6769    0.6190    0.6191        24
weighted avg     0.7064    0.6667    0.6556        24
";
    assert_eq!(format!("{:.4}", matrix.report()), four);
}

#[test]
fn a_class_without_images_reads_as_scikit_learns() {
    // m.classification_report(y, pred, labels=range(4), target_names=[…], zero_division=0)
    let expected = "              precision    recall  f1-score   support

           a       1.00      0.50      0.67         2
           b       0.67      0.67      0.67         3
           c       0.00      0.00      0.00         0
           d       0.00      0.00      0.00         0

    accuracy                           0.60         5
   macro avg       0.42      0.29      0.33         5
weighted avg       0.80      0.60      0.67         5
";
    assert_eq!(absent().report().classification(), expected);
    // m.balanced_accuracy_score, m.cohen_kappa_score, m.matthews_corrcoef
    close(absent().balanced_accuracy(), 0.583_333_333_333_333_3);
    close(absent().cohen_kappa(), 0.285_714_285_714_285_7);
    close(absent().matthews(), 0.308_606_699_924_183_8);
}

#[test]
fn shares_are_rounded_as_in_python() {
    // f"{1/8:9.2f}", f"{3/8:9.2f}", f"{5/8:9.2f}", f"{7/8:9.2f}": half to even
    for (right, expected) in [(1, "0.12"), (3, "0.38"), (5, "0.62"), (7, "0.88")] {
        let counts = vec![vec![right, 8 - right], vec![0, 0]];
        let matrix = ConfusionMatrix { classes: vec!["a".into(), "b".into()], counts };
        let report = matrix.report().classification();
        let row = report.lines().nth(2).unwrap().split_whitespace().nth(2);
        assert_eq!(row, Some(expected));
    }
}

#[test]
fn precision_recall_and_f1_are_scikit_learns() {
    // m.precision_recall_fscore_support(y, pred), then with average=…
    let matrix = logits().confusion();
    assert_eq!(matrix.counts, [[4, 2, 1, 0], [0, 4, 2, 1], [0, 0, 7, 0], [0, 1, 1, 1]]);
    let classes = matrix.class_scores();
    let of = |value: fn(&ClassScores) -> f64| classes.iter().map(value).collect::<Vec<_>>();
    let sevenths = 4.0 / 7.0;
    all_close(&of(|c| c.precision), &[1.0, sevenths, 0.636_363_636_363_636_4, 0.5]);
    all_close(&of(|c| c.recall), &[sevenths, sevenths, 1.0, 0.333_333_333_333_333_3]);
    all_close(&of(|c| c.f1), &[0.727_272_727_272_727_3, sevenths, 0.777_777_777_777_777_8, 0.4]);
    assert_eq!(classes.iter().map(|c| c.support).collect::<Vec<_>>(), [7, 7, 7, 3]);
    let third = 0.666_666_666_666_666_6;
    for (average, expected) in [
        (Average::Macro, [0.676_948_051_948_052, 0.619_047_619_047_619_1, 0.619_119_769_119_769_1]),
        (Average::Weighted, [0.706_439_393_939_393_9, third, 0.655_639_730_639_730_7]),
        (Average::Micro, [third; 3]),
    ] {
        let found = matrix.average(average);
        all_close(&[found.precision, found.recall, found.f1], &expected);
        assert_eq!(found.support, 24);
    }
}

#[test]
fn one_against_rest_matrices_are_scikit_learns() {
    // m.multilabel_confusion_matrix(y, pred): [[tn, fp], [fn, tp]]
    let found = logits().confusion().one_vs_rest();
    let found: Vec<[u64; 4]> = found
        .iter()
        .map(|c| [c.true_negatives, c.false_positives, c.false_negatives, c.true_positives])
        .collect();
    assert_eq!(found, [[17, 0, 3, 4], [14, 3, 3, 4], [13, 4, 0, 7], [20, 1, 2, 1]]);
}

#[test]
fn agreement_beyond_chance_is_scikit_learns() {
    // m.cohen_kappa_score, m.matthews_corrcoef, m.balanced_accuracy_score
    let matrix = logits().confusion();
    close(matrix.cohen_kappa(), 0.538_461_538_461_538_5);
    close(matrix.matthews(), 0.556_326_465_703_494_6);
    close(matrix.balanced_accuracy(), 0.619_047_619_047_619_1);
    // The same of y = [1, 1] with pred = [1, 1], then [0, 1].
    let single = |counts| ConfusionMatrix { classes: vec!["a".into(), "b".into()], counts };
    let same = single(vec![vec![0, 0], vec![0, 2]]);
    assert!(same.cohen_kappa().is_nan() && same.matthews() == 0.0);
    let half = single(vec![vec![0, 0], vec![1, 1]]);
    assert!(half.cohen_kappa() == 0.0 && half.matthews() == 0.0);
}

#[test]
fn the_most_confused_pairs_come_in_the_order_of_their_counts() {
    let found = logits().confusion().most_confused(3);
    let found: Vec<_> = found.iter().map(|p| (p.truth, p.predicted, p.count)).collect();
    assert_eq!(found, [(0, 1, 2), (1, 2, 2), (0, 2, 1)]);
    assert_eq!(logits().confusion().most_confused(100).len(), 6);
}

#[test]
fn nothing_counted_gives_zeros_and_no_panic() {
    for classes in [&[][..], &["a".to_string(), "b".to_string()]] {
        let matrix = ConfusionMatrix::new(classes);
        let zero = ClassScores::default();
        for average in [Average::Macro, Average::Weighted, Average::Micro] {
            assert_eq!(matrix.average(average), zero);
        }
        assert_eq!((matrix.balanced_accuracy(), matrix.matthews()), (0.0, 0.0));
        assert!(matrix.cohen_kappa().is_nan());
        assert_eq!(matrix.report().classification().lines().count(), 6 + classes.len());
    }
}

#[test]
fn losses_are_scikit_learns() {
    // m.log_loss(y, p), m.brier_score_loss(y, p, scale_by_half=False)
    close(logits().log_loss(), 0.969_177_780_252_050_1);
    close(logits().brier(), 0.498_787_733_664_927_57);
    close(logits().metrics().accuracy, 16.0 / 24.0);
}

#[test]
fn top_k_is_scikit_learns_with_equal_logits_won_by_the_first() {
    // m.top_k_accuracy_score(y, z - 1e-6 * c, k=k, labels=range(4)) for k in (1, 2, 3)
    let found = [1, 2, 3].map(|k| logits().top_k(k).unwrap());
    all_close(&found, &[16.0 / 24.0, 19.0 / 24.0, 22.0 / 24.0]);
    assert_eq!([4, 5, usize::MAX].map(|k| logits().top_k(k).unwrap()), [1.0; 3]);
    let message = logits().top_k(0).unwrap_err().to_string();
    assert_eq!(message, "k of the top-k accuracy is 0, but must be at least 1");
}

#[test]
fn areas_under_curves_are_scikit_learns() {
    // m.roc_auc_score(y, p, multi_class="ovr", average=a)
    // m.average_precision_score(np.eye(4)[y], p, average=a) for a in ("macro", "weighted", "micro")
    let averages = [Average::Macro, Average::Weighted, Average::Micro];
    all_close(
        &averages.map(|a| logits().roc_auc(a)),
        &[0.859_243_697_478_991_5, 0.859_593_837_535_014_1, 0.844_618_055_555_555_6],
    );
    all_close(
        &averages.map(|a| logits().average_precision(a)),
        &[0.704_996_838_478_981_3, 0.727_588_904_151_404_2, 0.712_884_160_094_173_2],
    );
    // m.roc_auc_score(y == 2, p[:, 2]), m.average_precision_score(y == 2, p[:, 2])
    close(logits().roc(2).unwrap().area(), 0.949_579_831_932_773_1);
    let precision = logits().precision_recall(2).unwrap().average_precision();
    close(precision, 0.880_158_730_158_730_1);
}

#[test]
fn curves_with_equal_scores_are_scikit_learns() {
    let scores = [0.1, 0.4, 0.4, 0.8, 0.8, 0.8, 0.9, 0.1];
    let positive = [false, false, true, true, false, true, true, true];
    // m.roc_curve(positive, scores, drop_intermediate=False), m.roc_auc_score(positive, scores)
    let roc = RocCurve::new(&scores, &positive).unwrap();
    let thirds = [0.0, 0.0, 0.333_333_333_333_333_3, 0.666_666_666_666_666_6, 1.0];
    all_close(&roc.false_positive_rate, &thirds);
    all_close(&roc.true_positive_rate, &[0.0, 0.2, 0.6, 0.8, 1.0]);
    assert_eq!(roc.thresholds, [f64::INFINITY, 0.9, 0.8, 0.4, 0.1]);
    close(roc.area(), 0.666_666_666_666_666_7);
    // m.precision_recall_curve(positive, scores), m.average_precision_score(positive, scores)
    let curve = PrecisionRecallCurve::new(&scores, &positive).unwrap();
    all_close(&curve.precision, &[0.625, 0.666_666_666_666_666_6, 0.75, 1.0, 1.0]);
    all_close(&curve.recall, &[1.0, 0.8, 0.6, 0.2, 0.0]);
    assert_eq!(curve.thresholds, [0.1, 0.4, 0.8, 0.9]);
    close(curve.average_precision(), 0.758_333_333_333_333_3);
}

#[test]
fn curves_without_positives_or_negatives_are_scikit_learns() {
    // The same calls with positive = [0, 0] and scores = [.1, .2].
    let none = [false, false];
    let roc = RocCurve::new(&[0.1, 0.2], &none).unwrap();
    assert_eq!(roc.false_positive_rate, [0.0, 0.5, 1.0]);
    all_close(&roc.true_positive_rate, &[f64::NAN; 3]);
    assert!(roc.area().is_nan());
    let curve = PrecisionRecallCurve::new(&[0.1, 0.2], &none).unwrap();
    assert_eq!(
        (&curve.precision[..], &curve.recall[..]),
        (&[0.0, 0.0, 1.0][..], &[1.0, 1.0, 0.0][..])
    );
    assert_eq!(curve.average_precision(), 0.0);
    let all = RocCurve::new(&[0.1, 0.2], &[true, true]).unwrap();
    all_close(&all.false_positive_rate, &[f64::NAN; 3]);
}

#[test]
fn calibration_has_scikit_learns_bins() {
    // right, confidence = pred == y, p.max(1)
    // sklearn.calibration.calibration_curve(right, confidence, n_bins=5)
    // np.bincount(np.searchsorted(np.linspace(0, 1, 6)[1:-1], confidence))
    let found = logits().calibration(5).unwrap();
    let of = |value: fn(&CalibrationBin) -> f64| found.bins.iter().map(value).collect::<Vec<_>>();
    let images: Vec<usize> = found.bins.iter().map(|bin| bin.images).collect();
    assert_eq!(images, [0, 0, 6, 12, 6]);
    all_close(&of(|bin| bin.accuracy), &[0.0, 0.0, 0.666_666_666_666_666_6, 0.5, 1.0]);
    let confidence =
        [0.0, 0.0, 0.535_417_331_439_266_8, 0.690_991_237_809_288_7, 0.920_059_654_904_088_5];
    all_close(&of(|bin| bin.confidence), &confidence);
    // Sum over the bins of abs(right.mean() - confidence.mean()) times the share of images.
    close(found.expected_error(), 0.148_293_038_985_472_2);
    close(found.greatest_error(), 0.690_991_237_809_288_7 - 0.5);
    close(found.accuracy(), logits().metrics().accuracy);
}

#[test]
fn the_best_temperature_is_that_of_scipys_minimum() {
    // nll = lambda t: -log_softmax(z / t, axis=1)[np.arange(24), y].mean()
    // scipy.optimize.minimize_scalar(nll, bounds=(.05, 20), method="bounded", options={"xatol": 1e-12})
    let temperature = logits().best_temperature().unwrap();
    // A search by values alone finds the place of a minimum to the root of their precision.
    assert!((temperature - 1.397_393_282_002_198_4).abs() < 1e-7, "{temperature}");
    let loss = logits().with_temperature(temperature).unwrap().log_loss();
    assert!((loss - 0.935_286_169_329_819_9).abs() < 1e-8, "{loss}");
}

#[test]
fn the_worst_images_are_those_of_greatest_loss() {
    // loss = -log_softmax(z, axis=1)[np.arange(24), y]; np.argsort(-loss, kind="stable")[:3]
    let expected = [
        (0, 0, 1, 0.652_140_409_543_851_2, 3.927_495_388_179_289),
        (4, 0, 1, 0.756_026_877_931_568_4, 3.279_678_350_615_058_5),
        (8, 1, 2, 0.769_523_614_115_084_5, 2.761_983_638_565_111_3),
    ];
    let found = logits().worst(3);
    assert_eq!(found.len(), 3);
    for (found, (position, truth, predicted, confidence, loss)) in found.iter().zip(expected) {
        assert_eq!((found.position, found.truth, found.predicted), (position, truth, predicted));
        all_close(&[found.confidence, found.loss], &[confidence, loss]);
    }
    assert_eq!((logits().worst(0).len(), logits().worst(1000).len()), (0, 24));
}
