//! Loss and accuracy by epoch.

use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::scatter::MarkerShape;
use selvedge_train::{EpochRecord, History, Metrics};

use super::page::compose;
use super::panel::{Line, Panel, XAxis, drawable, extent, room};
use super::picture::Picture;
use super::style::{MUTED, css, series};

/// Dashes of the training's lines.
const DASHES: &str = "6 5";
/// The same in the legend, where there is little space.
const LEGEND_DASHES: &str = "3 4.5";

/// Draws loss and accuracy by epoch: training dashed, validation solid, one colour a run.
///
/// A diamond marks the epoch of lowest validation loss. Epochs whose values are not finite are left
/// out; the line has a gap there. The colours repeat from the eighth run on. The picture is 1600
/// pixels wide and about 700 high; it grows with its title and legend.
pub fn history(title: &str, runs: &[(&str, &History)]) -> Picture {
    let epochs: Vec<f64> =
        runs.iter().flat_map(|(_, run)| &run.epochs).map(|e| e.epoch as f64).collect();
    let (panels, x) = (panels(runs), axis(&epochs));
    // The name of the only run needs no sample of its colour.
    let subtitle = if let [(name, _)] = runs { Some(*name) } else { None };
    let names: Vec<&str> = runs.iter().map(|(name, _)| *name).collect();
    compose(title, subtitle, legend(&names), panels.iter().map(|panel| panel.scene(&x)).collect())
}

fn panels(runs: &[(&str, &History)]) -> [Panel; 2] {
    let panel = |y_label, limits, value| Panel { y_label, limits, lines: lines(runs, value) };
    [
        panel("loss (nats per image)", (0.0, f64::INFINITY), |m| m.loss),
        panel("accuracy (%)", (0.0, 100.0), |m| 100.0 * m.accuracy),
    ]
}

/// An axis whose ticks are whole numbers.
pub(super) fn axis(epochs: &[f64]) -> XAxis {
    let (low, high) = extent(epochs).unwrap_or((1.0, 1.0));
    let room = room(low, high, 0.03);
    let rough = (high - low).max(1.0) / 10.0;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|multiple| multiple * power);
    let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    XAxis {
        label: "epoch".into(),
        ends: (low - room, high + room),
        logarithmic: false,
        step: Some(step.max(1.0)),
    }
}

fn lines(runs: &[(&str, &History)], value: fn(&Metrics) -> f64) -> Vec<Line> {
    let run = |(i, (_, run)): (usize, &(&str, &History))| {
        let point = |e: &EpochRecord, metrics: &Metrics| (e.epoch as f64, value(metrics));
        let train = run.epochs.iter().map(|e| point(e, &e.train)).collect();
        let validation = run.epochs.iter().filter_map(|e| Some(point(e, e.validation.as_ref()?)));
        let validation = validation.collect();
        let best = best(run).map(|e| point(e, e.score()));
        run_lines(i, train, validation, best)
    };
    runs.iter().enumerate().flat_map(run).collect()
}

/// The lines of a run, the `i`th: of training, and of validation with its best epoch.
pub(super) fn run_lines(
    i: usize,
    train: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
    best: Option<(f64, f64)>,
) -> [Line; 2] {
    let line = |points, dashes: Option<_>, best| Line {
        points,
        band: Vec::new(),
        color: series(i),
        width: if dashes.is_some() { 1.5 } else { 2.2 },
        dashes,
        marker: None,
        best,
    };
    [line(train, Some(DASHES), None), line(validation, None, best)]
}

/// As [`History::best`], among the epochs that are drawn.
fn best(run: &History) -> Option<&EpochRecord> {
    let drawn = run.epochs.iter().filter(|e| drawable(e.score().loss));
    drawn.min_by(|a, b| a.score().loss.total_cmp(&b.score().loss))
}

/// What the lines of the runs mean: colours, dashes and the diamond.
pub(super) fn legend(names: &[&str]) -> Vec<LegendEntry> {
    let entry = |label: &str, color, shape, dashes: Option<&str>| LegendEntry {
        label: label.into(),
        color: css(color),
        shape,
        dasharray: dashes.map(Into::into),
    };
    let mut entries = Vec::new();
    // The colour of the only run, or none in particular.
    let color = if names.len() == 1 {
        series(0)
    } else {
        for (i, name) in names.iter().enumerate() {
            entries.push(entry(name, series(i), LegendShape::Rect, None));
        }
        MUTED
    };
    entries.push(entry("training", color, LegendShape::Line, Some(LEGEND_DASHES)));
    entries.push(entry("validation", color, LegendShape::Line, None));
    let diamond = LegendShape::Marker(MarkerShape::Diamond);
    entries.push(entry("lowest validation loss", color, diamond, None));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn run(validation: &[f64]) -> History {
        let epoch = |(i, &loss): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            train: Metrics { loss: 0.8 * loss, accuracy: 0.9, macro_f1: 0.9 },
            validation: Some(Metrics { loss, accuracy: 1.0 / (1.0 + loss), macro_f1: 0.0 }),
            learning_rate: 1e-3,
            seconds: 1.0,
        };
        History { epochs: validation.iter().enumerate().map(epoch).collect() }
    }

    #[test]
    fn a_single_epoch_is_drawn_in_both_panels() {
        let single = run(&[1.5]);
        let pixels = Pixels::new(&history("One epoch.", &[("", &single)]));
        // Below the legend, in the left and in the right half.
        for columns in [0..800, 800..1600] {
            let found = pixels.find(series(0), columns).into_iter().filter(|at| at.1 > 150);
            // A diamond and a dot, each of well over a hundred pixels.
            assert!(found.count() > 200);
        }
        assert!(pixels.border_is_clear());
    }

    #[test]
    fn the_diamond_is_at_the_lowest_validation_loss_in_both_panels() {
        let run = run(&[2.0, 1.0, 1.2]);
        let best =
            |panel: &Panel| panel.lines.iter().filter_map(|line| line.best).collect::<Vec<_>>();
        let [loss, accuracy] = panels(&[("", &run)]);
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
    fn a_line_has_a_gap_where_a_loss_is_not_finite() {
        let count = |losses: &[f64]| {
            let svg = history("", &[("", &run(losses))]).to_svg();
            svg.matches("stroke-dasharray=\"6 5\"").count()
        };
        assert_eq!(count(&[4.0, 3.0, 2.5, 2.0, 1.0]), 2);
        // The accuracy of training has no gap here.
        assert_eq!(count(&[4.0, 3.0, f64::NAN, 2.0, 1.0]), 3);
    }

    #[test]
    fn every_run_has_its_colour_in_the_legend_and_in_both_panels() {
        let runs = [run(&[2.0, 1.0]), run(&[1.8, 0.9]), run(&[1.6, 0.8])];
        let named: Vec<_> = ["a", "b", "c"].into_iter().zip(&runs).collect();
        let pixels = Pixels::new(&history("Three runs.", &named));
        for i in 0..3 {
            let found = pixels.find(series(i), 0..1600);
            let legend = found.iter().filter(|at| at.1 < 170).count();
            let left = found.iter().filter(|at| at.1 > 170 && at.0 < 800).count();
            let right = found.iter().filter(|at| at.1 > 170 && at.0 >= 800).count();
            assert!(legend > 50 && left > 200 && right > 200, "run {i}: {legend} {left} {right}");
        }
    }

    #[test]
    fn epochs_have_whole_ticks() {
        let step = |last: usize| axis(&(1..=last).map(|e| e as f64).collect::<Vec<_>>()).step;
        assert_eq!([1, 3, 10, 30, 200].map(step), [1.0, 1.0, 1.0, 5.0, 20.0].map(Some));
    }

    #[test]
    fn histories_without_a_finite_value_are_drawn_empty() {
        let (none, nan) = (History::default(), run(&[f64::NAN, f64::INFINITY, 1e300]));
        let far = History {
            epochs: vec![EpochRecord { epoch: usize::MAX, ..run(&[1.0]).epochs[0].clone() }],
        };
        let one = run(&[1.0]);
        for runs in [&[][..], &[("none", &none), ("nan", &nan)], &[("far", &far), ("one", &one)]] {
            let pixels = Pixels::new(&history("", runs));
            assert_eq!(pixels.size.0, 1600);
            assert!(pixels.border_is_clear());
        }
    }
}
