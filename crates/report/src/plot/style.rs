//! Colours, markers and sizes, the same in every picture.

use kuva::plot::ColorMap;
use kuva::plot::scatter::MarkerShape;
use kuva::render::layout::Layout;
use kuva::render::theme::Theme;

/// Red, green and blue.
pub type Rgb = (u8, u8, u8);

/// The palette of Okabe and Ito for lines on white: without its yellow, which is too pale.
const SERIES: [Rgb; 7] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (0, 0, 0),
];

const MARKERS: [MarkerShape; 5] = [
    MarkerShape::Circle,
    MarkerShape::Square,
    MarkerShape::Triangle,
    MarkerShape::TriangleDown,
    MarkerShape::Star,
];

pub const INK: Rgb = (26, 26, 26);
pub const MUTED: Rgb = (89, 89, 89);
pub const GRID: Rgb = (226, 226, 226);
pub const PAPER: Rgb = (255, 255, 255);

/// Heights of a line of text.
pub const TITLE: u32 = 17;
pub const SUBTITLE: u32 = 13;
pub const LABEL: u32 = 14;
pub const TICK: u32 = 12;
pub const LEGEND: u32 = 13;

/// The least width of a picture with a title, so that the title has room; one without is as narrow as it can be, for
/// small screens.
pub fn least_width(title: &str) -> f64 {
    if title.is_empty() { 0.0 } else { 772.0 }
}

/// Empty border of a picture.
pub const MARGIN: f64 = 14.0;
/// From the top of a part to its axes, where what they show is written.
pub const HEAD: f64 = 26.0;

/// After so many series the colours repeat.
pub const COLORS: usize = SERIES.len();

/// The colour of a series; an eighth one repeats the first.
pub fn series(index: usize) -> Rgb {
    SERIES[index % SERIES.len()]
}

/// The marker of a series. There are five, so that colour and marker repeat together only after 35.
pub fn marker(index: usize) -> MarkerShape {
    MARKERS[index % MARKERS.len()]
}

/// As the drawing library takes colours.
pub fn css((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A layout of axes in the style of every picture.
pub fn layout(x: (f64, f64), y: (f64, f64)) -> Layout {
    let theme = Theme {
        axis_color: css(INK),
        tick_color: css(INK),
        text_color: css(INK),
        grid_color: css(GRID),
        colorbar_border: css(INK),
        ..Theme::light()
    };
    Layout::new(x, y)
        .with_theme(theme)
        .with_box_axes()
        .with_label_size(LABEL)
        .with_tick_size(TICK)
        .with_body_size(LEGEND)
        .with_x_axis_min(x.0)
        .with_x_axis_max(x.1)
        .with_y_axis_min(y.0)
        .with_y_axis_max(y.1)
}

/// The colour of a share between 0 (white) and 1 (navy): the larger the darker.
pub fn heat(share: f64) -> Rgb {
    // Through the blue of the series to the darkest that still reads as blue.
    const STOPS: [(f64, Rgb); 3] = [(0.0, PAPER), (0.6, SERIES[0]), (1.0, (0, 38, 84))];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let [low, middle, high] = STOPS;
    let ((from, a), (to, b)) = if share < middle.0 { (low, middle) } else { (middle, high) };
    let t = (share - from) / (to - from);
    let mix = |a: u8, b: u8| (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8;
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// The colour of a share between 0 (dark violet) and 1 (yellow): viridis, of which equal steps look equal (van der Walt
/// and Smith, *A Better Default Colormap for Matplotlib*, SciPy 2015).
pub fn viridis(share: f64) -> Rgb {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    ColorMap::Viridis.map_rgb(share).expect("only a custom map has no bytes")
}

/// The colours of a ground for a share between 0 and 1, and of text on it.
pub fn heat_colors(share: f64) -> [String; 2] {
    let ground = heat(share);
    [css(ground), css(readable_on(ground))]
}

/// White or ink, whichever is easier to read on the background.
pub fn readable_on(background: Rgb) -> Rgb {
    if contrast(PAPER, background) > contrast(INK, background) { PAPER } else { INK }
}

/// Contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio").
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance of an sRGB colour (WCAG 2.2, "relative luminance").
fn luminance((red, green, blue): Rgb) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
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
    fn viridis_ends_as_in_matplotlib_and_grows_lighter() {
        // matplotlib 3.10, `(255 * np.array(matplotlib.colormaps["viridis"](x)[:3])).round()` of 0, .5 and 1.
        for (share, color) in [(0.0, (68, 1, 84)), (0.5, (33, 145, 140)), (1.0, (253, 231, 37))] {
            let found = viridis(share);
            let near = |a: u8, b: u8| a.abs_diff(b) <= 2;
            let is_near =
                near(found.0, color.0) && near(found.1, color.1) && near(found.2, color.2);
            assert!(is_near, "{share}: {found:?} and {color:?}");
        }
        let light = (0..=20).map(|i| luminance(viridis(f64::from(i) / 20.0)));
        assert!(light.clone().zip(light.skip(1)).all(|(a, b)| b > a));
    }

    #[test]
    fn shares_that_are_no_shares_have_a_colour() {
        assert_eq!(heat(f64::NAN), heat(0.0));
        assert_eq!(heat(7.0), heat(1.0));
        assert_eq!(heat(-7.0), heat(0.0));
    }
}
