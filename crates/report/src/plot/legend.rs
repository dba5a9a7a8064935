//! Which line is which: rows of samples and names.

use plotters::style::RGBColor;

use super::canvas::{Anchor, Canvas, DrawError, Marker, Stroke, Style};
use super::palette::{INK, LEGEND};
use super::panel::{MARKER, best_marker};
use super::text;

/// Height of a row in pixels.
const ROW: f64 = LEGEND * 1.4;
const SAMPLE: f64 = 58.0;
const GAP: f64 = 12.0;
const BETWEEN: f64 = 40.0;
/// Most entries shown; the last one counts those left out.
const MOST: usize = 40;

/// How something looks in the panels.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    Line(Stroke, Option<Marker>),
    Band(RGBColor),
    Best(RGBColor),
    Nothing,
}

/// A sample and its name.
#[derive(Clone, Debug)]
pub struct Entry {
    pub sample: Sample,
    pub label: String,
}

/// Entries with their places, row by row.
#[derive(Clone, Debug)]
pub struct Legend {
    /// Entry, left end, row
    entries: Vec<(Entry, f64, usize)>,
}

impl Legend {
    /// Places the entries in rows between `left` and `right`.
    pub fn new(mut entries: Vec<Entry>, left: f64, right: f64) -> Self {
        if entries.len() > MOST {
            let label = format!("and {} more", entries.len() - (MOST - 1));
            entries.truncate(MOST - 1);
            entries.push(Entry { sample: Sample::Nothing, label });
        }
        let (mut x, mut row) = (left, 0);
        let mut place = |mut entry: Entry| {
            entry.label = text::shorten(&entry.label, LEGEND, right - left - SAMPLE - GAP);
            let width = SAMPLE + GAP + text::width(&entry.label, LEGEND);
            if x > left && x + width > right {
                (x, row) = (left, row + 1);
            }
            let placed = (entry, x, row);
            x += width + BETWEEN;
            placed
        };
        Self { entries: entries.drain(..).map(&mut place).collect() }
    }

    /// Height of all rows in pixels.
    pub fn height(&self) -> f64 {
        self.entries.last().map_or(0.0, |(_, _, row)| (row + 1) as f64 * ROW)
    }

    /// Draws the rows below `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Result<(), DrawError> {
        for (Entry { sample, label }, left, row) in &self.entries {
            let y = top + (*row as f64 + 0.5) * ROW;
            let middle = (left + SAMPLE / 2.0, y);
            match *sample {
                Sample::Line(stroke, marker) => {
                    canvas.line(&[(*left, y), (left + SAMPLE, y)], stroke)?;
                    if let Some(marker) = marker {
                        canvas.marker(marker, middle, MARKER, stroke.color)?;
                    }
                }
                Sample::Band(color) => {
                    canvas.band(
                        &[(*left, y + 11.0, y - 11.0), (left + SAMPLE, y + 11.0, y - 11.0)],
                        color,
                    )?;
                }
                Sample::Best(color) => best_marker(canvas, middle, color)?,
                Sample::Nothing => {}
            }
            let style = Style::new(LEGEND, INK, Anchor::Left);
            canvas.text(label, (left + SAMPLE + GAP, y), style)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: usize, label: &str) -> Vec<Entry> {
        vec![Entry { sample: Sample::Nothing, label: label.into() }; count]
    }

    #[test]
    fn entries_that_do_not_fit_start_a_row() {
        let legend = Legend::new(entries(12, "a network of medium size"), 28.0, 1572.0);
        assert!(legend.height() > ROW);
        for (entry, left, _) in &legend.entries {
            assert!(left + SAMPLE + GAP + text::width(&entry.label, LEGEND) <= 1572.0);
        }
    }

    #[test]
    fn entries_beyond_the_most_are_counted() {
        let legend = Legend::new(entries(100, "x"), 28.0, 1572.0);
        assert_eq!(legend.entries.len(), 40);
        assert_eq!(legend.entries[39].0.label, "and 61 more");
    }

    #[test]
    fn a_long_name_is_shortened() {
        let legend = Legend::new(entries(1, &"x".repeat(500)), 28.0, 1572.0);
        assert!(legend.entries[0].0.label.ends_with('…'));
    }
}
