//! What was measured by epoch, whatever it was.

use selvedge_train::EpochRow;

use super::history::{axis, legend, run_lines};
use super::page::compose;
use super::panel::{Panel, drawable};
use super::picture::Picture;

/// Draws what was measured in a run, a panel for each value: training dashed, validation solid.
///
/// A diamond marks the epoch of lowest validation loss: of the first value, where none is called
/// `loss`. An `accuracy` is drawn in per cent. Values that are not finite are left out; the line has a
/// gap there. The picture is 800 pixels wide for each value and about 700 high.
pub fn rows(title: &str, name: Option<&str>, rows: &[EpochRow]) -> Picture {
    let epochs: Vec<f64> = rows.iter().map(|row| row.epoch as f64).collect();
    let x = axis(&epochs);
    let columns = rows.first().map_or(&[][..], |row| row.columns);
    let panels = (0..columns.len()).map(|column| panel(rows, column, columns[column]).scene(&x));
    let mut entries = legend(&[""]);
    if rows.iter().all(|row| row.validation.is_none()) {
        entries.truncate(1);
    }
    compose(title, name, entries, panels.collect())
}

fn panel(rows: &[EpochRow], column: usize, name: &'static str) -> Panel {
    let (y_label, limits, unit) = match name {
        "accuracy" => ("accuracy (%)", (0.0, 100.0), 100.0),
        "loss" => (name, (0.0, f64::INFINITY), 1.0),
        "macro_f1" => ("macro F1", (0.0, 1.0), 1.0),
        _ => (name, (f64::NEG_INFINITY, f64::INFINITY), 1.0),
    };
    let point = |row: &EpochRow, values: &[f64]| (row.epoch as f64, unit * values[column]);
    let validation = |row: &EpochRow| row.validation.as_deref().map(|values| point(row, values));
    let train = rows.iter().map(|row| point(row, &row.train)).collect();
    let points: Vec<_> = rows.iter().filter_map(validation).collect();
    let is_validated = !points.is_empty();
    let mut lines = run_lines(0, train, points, best(rows).and_then(validation)).to_vec();
    lines.truncate(if is_validated { 2 } else { 1 });
    Panel { y_label, limits, lines }
}

/// The first epoch of lowest validation loss that can be drawn.
pub(crate) fn best(rows: &[EpochRow]) -> Option<&EpochRow> {
    let loss = |row: &EpochRow| {
        let first = row.columns.first()?;
        let loss = row.validation_value("loss").or_else(|| row.validation_value(first));
        loss.filter(|loss| drawable(*loss))
    };
    let drawn = rows.iter().filter_map(|row| Some((row, loss(row)?)));
    drawn.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(row, _)| row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    const COLUMNS: &[&str] = &["loss", "accuracy"];

    fn run(losses: &[f64], validated: bool) -> Vec<EpochRow> {
        let row = |(i, loss): (usize, &f64)| EpochRow {
            columns: COLUMNS,
            epoch: i + 1,
            train: vec![0.8 * loss, 0.9],
            validation: validated.then(|| vec![*loss, 1.0 / (1.0 + loss)]),
            learning_rate: 0.001,
            seconds: 1.0,
        };
        losses.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_diamond_is_at_the_lowest_validation_loss_in_every_panel() {
        // The sign of a NaN depends on the processor; a negative one sorts first.
        let run = run(&[2.0, f64::NAN, 1.0, -f64::NAN, 1.0], true);
        let best = |column| panel(&run, column, COLUMNS[column]).lines[1].best;
        // The accuracy of that epoch is 1 / (1 + 1) = 50 %.
        assert_eq!([best(0), best(1)], [Some((3.0, 1.0)), Some((3.0, 50.0))]);
    }

    #[test]
    fn a_run_without_validation_has_one_line_a_panel() {
        let run = run(&[2.0, 1.0, 0.5], false);
        let svg = rows("", Some("run"), &run).to_svg();
        assert!(svg.contains("training") && !svg.contains("validation"));
        assert!((0..2).all(|column| panel(&run, column, COLUMNS[column]).lines.len() == 1));
    }

    #[test]
    fn it_is_drawn_from_the_first_epoch_on_and_without_any() {
        for (losses, width) in [(&[1.5][..], 1600), (&[1.5, 1.0], 1600)] {
            let pixels = Pixels::new(&rows("Loss and accuracy", None, &run(losses, true)));
            assert_eq!(pixels.size.0, width);
            assert!(pixels.border_is_clear());
        }
        assert!(rows("", None, &[]).to_png().is_ok());
    }
}
