//! What the colours of a heat map mean.

use super::canvas::{Anchor, Canvas, DrawError, Point, Style};
use super::palette::{INK, LABEL, TICK, heat};

const GAP: f64 = 36.0;
const BAR: f64 = 34.0;
const NUMBERS: f64 = 110.0;

/// Width in pixels, with the space to its left.
pub const WIDTH: f64 = GAP + BAR + NUMBERS + LABEL;
/// Height in pixels that its name needs.
pub const LEAST_HEIGHT: f64 = 300.0;

/// Draws the scale to the right of `(left, top)` and down to `bottom`, or further if that is too
/// little.
pub fn draw(canvas: &Canvas, (left, top): Point, bottom: f64) -> Result<(), DrawError> {
    let (left, end) = (left + GAP, left + WIDTH);
    let (right, bottom) = (left + BAR, bottom.max(top + LEAST_HEIGHT));
    let steps = (bottom - top).round();
    for step in 0..steps as u32 {
        let y = top + f64::from(step);
        let share = 1.0 - f64::from(step) / (steps - 1.0);
        canvas.rectangle((left, y), (right, y + 1.0), heat(share))?;
    }
    canvas.border((left - 1.0, top - 1.0), (right + 1.0, bottom + 1.0), INK, 1.5)?;
    for tick in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let y = bottom - tick / 100.0 * (bottom - top);
        canvas.rectangle((right, y - 0.5), (right + 7.0, y + 0.5), INK)?;
        let style = Style::new(TICK, INK, Anchor::Left);
        canvas.text(&format!("{tick} %"), (right + 14.0, y), style)?;
    }
    let at = (end - LABEL / 2.0, (top + bottom) / 2.0);
    let style = Style::new(LABEL, INK, Anchor::Middle).upwards();
    canvas.text("share of true class", at, style)
}
