use selvedge_train::Robustness;

use super::mean_curves::{MeanCurve, MeanCurves, Places, ValueAxis};

/// The accuracy, in per cent, by the strength of each corruption, from 0, the images as they are, to 5: a curve for each
/// corruption. Of several runs of the same corruptions, such as networks of several seeds, it is the mean with a band of
/// one standard deviation to each side.
///
/// ```
/// use selvedge_data::transform::Corruption;
/// use selvedge_report::plot::robustness_curves;
/// use selvedge_train::{Robustness, RobustnessRow};
///
/// let row = |severity, accuracy| RobustnessRow {
///     corruption: Corruption::Noise,
///     severity,
///     strength: 0.02 * severity as f64,
///     accuracy,
/// };
/// let table = Robustness { clean: 0.9, rows: vec![row(1, 0.8), row(2, 0.7)] };
/// let curves = robustness_curves("What does noise do?", &[table]);
/// assert_eq!(curves.curves[0].points[2], (2.0, vec![70.0]));
/// # assert_eq!(curves.picture().size().0, 1056);
/// ```
pub fn robustness_curves(title: &str, runs: &[Robustness]) -> MeanCurves {
    let mut curves: Vec<MeanCurve> = Vec::new();
    let mut add = |label: &str, severity: usize, accuracy: f64| {
        let at = curves.iter().position(|curve| curve.label == label);
        let at = at.unwrap_or_else(|| {
            curves.push(MeanCurve { label: label.into(), points: Vec::new() });
            curves.len() - 1
        });
        let points = &mut curves[at].points;
        match points.iter_mut().find(|point| point.0 == severity as f64) {
            Some(point) => point.1.push(100.0 * accuracy),
            None => points.push((severity as f64, vec![100.0 * accuracy])),
        }
    };
    for run in runs {
        for rows in run.rows.chunk_by(|a, b| a.corruption == b.corruption) {
            add(rows[0].corruption.name(), 0, run.clean);
            for row in rows {
                add(row.corruption.name(), row.severity, row.accuracy);
            }
        }
    }
    MeanCurves {
        title: title.into(),
        places: Places::Setting("strength of five (0: as they are)".into()),
        axis: ValueAxis { label: "accuracy (%)".into(), limits: (0.0, 100.0) },
        curves,
    }
}

#[cfg(test)]
mod tests {
    use selvedge_data::transform::Corruption::{self, Blur, Noise};
    use selvedge_train::RobustnessRow;

    use super::*;

    #[test]
    fn every_corruption_is_a_curve_from_the_images_as_they_are_on_with_a_value_for_each_run() {
        let row = |corruption: Corruption, severity, accuracy| {
            let strength = severity as f64;
            RobustnessRow { corruption, severity, strength, accuracy }
        };
        let run = |clean: f64| {
            let rows = vec![row(Noise, 1, clean / 2.0), row(Noise, 2, 0.25), row(Blur, 1, clean)];
            Robustness { clean, rows }
        };
        let curves = robustness_curves("?", &[run(0.75), run(0.5)]).curves;
        let noise = vec![(0.0, vec![75.0, 50.0]), (1.0, vec![37.5, 25.0]), (2.0, vec![25.0, 25.0])];
        let blur = vec![(0.0, vec![75.0, 50.0]), (1.0, vec![75.0, 50.0])];
        let expected = [("noise", noise), ("blur", blur)];
        let expected = expected.map(|(label, points)| MeanCurve { label: label.into(), points });
        assert_eq!(curves, expected);
    }
}
