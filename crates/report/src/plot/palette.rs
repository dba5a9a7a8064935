//! Colours and sizes, the same in every picture.

use plotters::style::{Color as _, RGBColor};

/// The palette of Okabe and Ito for lines on white: without its yellow, which is too pale.
const SERIES: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

pub const INK: RGBColor = RGBColor(26, 26, 26);
pub const MUTED: RGBColor = RGBColor(89, 89, 89);
pub const GRID: RGBColor = RGBColor(226, 226, 226);
pub const PAPER: RGBColor = RGBColor(255, 255, 255);

/// Heights of a line of text, in pixels.
pub const TITLE: f64 = 36.0;
pub const SUBTITLE: f64 = 28.0;
pub const LABEL: f64 = 30.0;
pub const TICK: f64 = 26.0;
pub const LEGEND: f64 = 28.0;

/// Empty border of a picture, in pixels.
pub const MARGIN: f64 = 28.0;

/// The colour of a series; an eighth one repeats the first.
pub fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// The colour of a share between 0 (white) and 1 (navy): the larger the darker.
pub fn heat(share: f64) -> RGBColor {
    // Through the blue of the series to the darkest that still reads as blue.
    const STOPS: [(f64, RGBColor); 3] =
        [(0.0, RGBColor(255, 255, 255)), (0.6, RGBColor(0, 114, 178)), (1.0, RGBColor(0, 38, 84))];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let [low, middle, high] = STOPS;
    let ((from, a), (to, b)) = if share < middle.0 { (low, middle) } else { (middle, high) };
    let t = (share - from) / (to - from);
    let mix = |a: u8, b: u8| (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// White or ink, whichever is easier to read on the background.
pub fn readable_on(background: RGBColor) -> RGBColor {
    if contrast(PAPER, background) > contrast(INK, background) { PAPER } else { INK }
}

/// Contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio").
fn contrast(a: RGBColor, b: RGBColor) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance of an sRGB colour (WCAG 2.2, "relative luminance").
fn luminance(color: RGBColor) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let (r, g, b) = color.rgb();
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_share_is_darker() {
        let shares = (0..=100).map(|i| luminance(heat(f64::from(i) / 100.0)));
        assert!(shares.clone().zip(shares.skip(1)).all(|(a, b)| b < a));
        assert_eq!(heat(0.0), PAPER);
    }

    #[test]
    fn text_on_every_share_has_a_contrast_of_at_least_four() {
        // 3 is what WCAG 2.2 asks of large text, 4.5 of small text.
        for i in 0..=1000 {
            let background = heat(f64::from(i) / 1000.0);
            assert!(contrast(readable_on(background), background) >= 4.0, "at {i} of 1000");
        }
    }

    #[test]
    fn shares_that_are_no_shares_have_a_colour() {
        assert_eq!(heat(f64::NAN), heat(0.0));
        assert_eq!(heat(7.0), heat(1.0));
        assert_eq!(heat(-7.0), heat(0.0));
    }
}
