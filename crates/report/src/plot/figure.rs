//! A title, a legend and two panels side by side.

use std::path::Path;

use super::PlotError;
use super::axis::Axis;
use super::canvas::{Canvas, DrawError};
use super::legend::{Entry, Legend};
use super::palette::{INK, MARGIN, MUTED, SUBTITLE, TITLE};
use super::panel::{BELOW, Panel, Place};
use super::save::save;
use super::text::Paragraph;

/// Width of the picture in pixels.
const WIDTH: f64 = 1600.0;
/// Height of a panel's frame in pixels: the picture grows with its title and legend instead.
const FRAME: f64 = 440.0;

/// Two panels with the same x axis.
#[derive(Clone, Debug)]
pub struct Figure {
    pub title: String,
    pub subtitle: Option<String>,
    pub legend: Vec<Entry>,
    pub x: Axis,
    pub x_label: String,
    pub panels: [Panel; 2],
}

/// Where everything goes.
struct Layout {
    title: Paragraph,
    subtitle: Paragraph,
    legend: Legend,
    legend_top: f64,
    frame_top: f64,
    height: f64,
}

impl Figure {
    /// Writes the figure as PNG.
    pub fn save(&self, path: &Path) -> Result<(), PlotError> {
        let layout = self.layout();
        save(path, size(&layout), |canvas| self.draw(canvas, &layout))
    }

    fn layout(&self) -> Layout {
        let title = Paragraph::fit(&self.title, TITLE, WIDTH - 2.0 * MARGIN);
        let subtitle = self.subtitle.as_deref().unwrap_or_default();
        let subtitle = Paragraph::fit(subtitle, SUBTITLE, WIDTH - 2.0 * MARGIN);
        let legend = Legend::new(self.legend.clone(), MARGIN, WIDTH - MARGIN);
        let legend_top = MARGIN * 0.7 + title.height() + subtitle.height() + 8.0;
        let frame_top = legend_top + legend.height() + 20.0;
        let height = frame_top + FRAME + BELOW + MARGIN * 0.7;
        Layout { title, subtitle, legend, legend_top, frame_top, height }
    }

    fn draw(&self, canvas: &Canvas, layout: &Layout) -> Result<(), DrawError> {
        canvas.paragraph(&layout.title, MARGIN, MARGIN * 0.7, INK)?;
        let below_title = MARGIN * 0.7 + layout.title.height();
        canvas.paragraph(&layout.subtitle, MARGIN, below_title, MUTED)?;
        layout.legend.draw(canvas, layout.legend_top)?;
        let half = (WIDTH - 3.0 * MARGIN) / 2.0;
        for (panel, left) in self.panels.iter().zip([MARGIN, MARGIN * 2.0 + half]) {
            let (top, bottom) = (layout.frame_top, layout.frame_top + FRAME);
            let place = Place { left, right: left + half, top, bottom };
            panel.draw(canvas, place, (&self.x, &self.x_label))?;
        }
        Ok(())
    }

    /// The picture in memory.
    #[cfg(test)]
    pub fn pixels(&self) -> super::testing::Picture {
        let layout = self.layout();
        super::testing::Picture::new(size(&layout), |canvas| self.draw(canvas, &layout))
    }
}

fn size(layout: &Layout) -> (u32, u32) {
    (WIDTH as u32, layout.height.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::legend::Sample;

    fn figure(title: &str, entries: usize) -> Figure {
        let panel = Panel { y_label: "loss".into(), limits: (0.0, 1.0), lines: Vec::new() };
        Figure {
            title: title.into(),
            subtitle: None,
            legend: vec![Entry { sample: Sample::Nothing, label: "a label".repeat(5) }; entries],
            x: Axis::epochs(&[1.0, 3.0]),
            x_label: "epoch".into(),
            panels: [panel.clone(), panel],
        }
    }

    #[test]
    fn a_title_of_two_hundred_characters_is_not_clipped() {
        for title in ["Does it help? ".repeat(15), "m".repeat(200), "WWW ".repeat(50)] {
            assert!(figure(&title, 1).pixels().border_is_clear(), "{title}");
        }
    }

    #[test]
    fn the_picture_grows_with_title_and_legend_while_the_panels_keep_their_size() {
        let frame = |title: &str, entries| {
            let layout = figure(title, entries).layout();
            (layout.height, layout.height - layout.frame_top)
        };
        let (small, large) = (frame("Short.", 1), frame(&"A long title. ".repeat(20), 30));
        assert!((600.0..720.0).contains(&small.0) && large.0 > small.0 + 100.0);
        assert!((small.1 - large.1).abs() < 1e-9);
    }
}
