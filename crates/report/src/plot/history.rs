//! Loss and accuracy by epoch.

use std::path::Path;

use super::PlotError;
use super::axis::{Axis, drawable};
use super::canvas::Stroke;
use super::figure::Figure;
use super::legend::{Entry, Sample};
use super::palette::{MUTED, series};
use super::panel::{Line, Panel};
use selvedge_train::{EpochRecord, History, Metrics};

/// Draws loss and accuracy by epoch: training dashed, validation solid, one colour a run.
///
/// A diamond marks the epoch of lowest validation loss. Epochs whose values are not finite are left
/// out; the line has a gap there. The colours repeat from the eighth run on. The picture is 1600
/// pixels wide and about 700 high; it grows with its title and legend.
///
/// # Errors
///
/// [`PlotError::Write`] if the file cannot be written.
pub fn history(path: &Path, title: &str, runs: &[(&str, &History)]) -> Result<(), PlotError> {
    figure(title, runs).save(path)
}

fn figure(title: &str, runs: &[(&str, &History)]) -> Figure {
    let epochs: Vec<f64> =
        runs.iter().flat_map(|(_, run)| &run.epochs).map(|e| e.epoch as f64).collect();
    let panel = |y_label: &str, limits, value: fn(&Metrics) -> f64| Panel {
        y_label: y_label.into(),
        limits,
        lines: lines(runs, value),
    };
    Figure {
        title: title.into(),
        // The name of the only run needs no sample of its colour.
        subtitle: if let [(name, _)] = runs { Some((*name).into()) } else { None },
        legend: legend(runs),
        x: Axis::epochs(&epochs),
        x_label: "epoch".into(),
        panels: [
            panel("loss (nats per image)", (0.0, f64::INFINITY), |m| m.loss),
            panel("accuracy (%)", (0.0, 100.0), |m| 100.0 * m.accuracy),
        ],
    }
}

fn lines(runs: &[(&str, &History)], value: fn(&Metrics) -> f64) -> Vec<Line> {
    let run = |(i, (_, run)): (usize, &(&str, &History))| {
        let point = |e: &EpochRecord, metrics: &Metrics| (e.epoch as f64, value(metrics));
        let line = |points, dashed, best| Line {
            points,
            spread: Vec::new(),
            stroke: stroke(i, dashed),
            marker: None,
            best,
        };
        let train = run.epochs.iter().map(|e| point(e, &e.train)).collect();
        let validation = run.epochs.iter().map(|e| point(e, &e.validation)).collect();
        let best = best(run).map(|e| point(e, &e.validation));
        [line(train, true, None), line(validation, false, best)]
    };
    runs.iter().enumerate().flat_map(run).collect()
}

fn stroke(run: usize, dashed: bool) -> Stroke {
    Stroke { color: series(run), width: if dashed { 2.5 } else { 4.0 }, dashed }
}

/// As [`History::best`], among the epochs that are drawn.
fn best(run: &History) -> Option<&EpochRecord> {
    let drawn = run.epochs.iter().filter(|e| drawable(e.validation.loss));
    drawn.min_by(|a, b| a.validation.loss.total_cmp(&b.validation.loss))
}

fn legend(runs: &[(&str, &History)]) -> Vec<Entry> {
    let entry = |sample, label: &str| Entry { sample, label: label.into() };
    let mut entries = Vec::new();
    // The colour of the only run, or none in particular.
    let color = if runs.len() == 1 {
        series(0)
    } else {
        for (i, (name, _)) in runs.iter().enumerate() {
            entries.push(entry(Sample::Line(stroke(i, false), None), name));
        }
        MUTED
    };
    let key = |dashed| Sample::Line(Stroke { color, ..stroke(0, dashed) }, None);
    entries.push(entry(key(true), "training"));
    entries.push(entry(key(false), "validation"));
    entries.push(entry(Sample::Best(color), "lowest validation loss"));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::png_size;

    fn run(validation: &[f64]) -> History {
        let epoch = |(i, &loss): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            train: Metrics { loss: 0.8 * loss, accuracy: 0.9 },
            validation: Metrics { loss, accuracy: 1.0 / (1.0 + loss) },
            seconds: 1.0,
        };
        History { epochs: validation.iter().enumerate().map(epoch).collect() }
    }

    #[test]
    fn a_single_epoch_is_drawn_in_both_panels() {
        let single = run(&[1.5]);
        let picture = figure("One epoch.", &[("", &single)]).pixels();
        // Below the legend, in the left and in the right half.
        for columns in [0..800, 800..1600] {
            let found = picture.find(series(0), columns).into_iter().filter(|at| at.1 > 150);
            // A diamond and a ring, each of well over a hundred pixels.
            assert!(found.count() > 200);
        }
        assert!(picture.border_is_clear());
    }

    #[test]
    fn the_diamond_is_at_the_lowest_validation_loss_in_both_panels() {
        let run = run(&[2.0, 1.0, 1.2]);
        let best =
            |panel: &Panel| panel.lines.iter().filter_map(|line| line.best).collect::<Vec<_>>();
        let [loss, accuracy] = figure("", &[("", &run)]).panels;
        // The accuracy of that epoch is 1 / (1 + 1) = 50 %.
        assert_eq!((best(&loss), best(&accuracy)), (vec![(2.0, 1.0)], vec![(2.0, 50.0)]));
    }

    #[test]
    fn losses_that_are_not_finite_are_never_the_best() {
        // The sign of a NaN depends on the processor; a negative one sorts first.
        let run = run(&[2.0, f64::NAN, 1.0, -f64::NAN, f64::NEG_INFINITY]);
        assert_eq!(best(&run).map(|e| e.epoch), Some(3));
    }

    #[test]
    fn every_run_has_its_colour_in_the_legend_and_in_both_panels() {
        let runs = [run(&[2.0, 1.0]), run(&[1.8, 0.9]), run(&[1.6, 0.8])];
        let named: Vec<_> = ["a", "b", "c"].into_iter().zip(&runs).collect();
        let picture = figure("Three runs.", &named).pixels();
        for i in 0..3 {
            let found = picture.find(series(i), 0..1600);
            let legend = found.iter().filter(|at| at.1 < 115).count();
            let left = found.iter().filter(|at| at.1 > 125 && at.0 < 800).count();
            let right = found.iter().filter(|at| at.1 > 125 && at.0 >= 800).count();
            assert!(legend > 50 && left > 200 && right > 200, "run {i}: {legend} {left} {right}");
        }
    }

    #[test]
    fn the_file_has_the_size_of_the_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.png");
        let run = run(&[2.0, 1.0, 1.2]);
        history(&path, "A run.", &[("small", &run)]).unwrap();
        assert_eq!(png_size(&path), (1600, 700));
    }

    #[test]
    fn histories_without_a_finite_value_are_drawn_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.png");
        let (none, nan) = (History::default(), run(&[f64::NAN, f64::INFINITY, 1e300]));
        let far = History {
            epochs: vec![EpochRecord { epoch: usize::MAX, ..run(&[1.0]).epochs[0].clone() }],
        };
        history(&path, "", &[]).unwrap();
        history(&path, "", &[("none", &none), ("nan", &nan)]).unwrap();
        history(&path, "", &[("far", &far), ("one", &run(&[1.0]))]).unwrap();
    }
}
