//! Which class was taken for which.

use std::sync::Arc;

use kuva::plot::ColorMap;
use kuva::plot::heatmap::Heatmap;
use kuva::render::color::Color;
use kuva::render::layout::{ComputedLayout, Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Primitive, Scene, TextAnchor, render_multiple};
use selvedge_train::ConfusionMatrix;

use super::page::{compose, plain, shorten, text_at, text_width};
use super::picture::{Picture, PlotError};
use super::style::{GRID, HEAD, INK, LABEL, MUTED, Rgb, TICK, css, heat, layout, readable_on};

/// Most classes that fit on a picture.
pub const MOST_CLASSES: usize = 100;
/// Widest name of a class; a longer one is shortened.
const NAME: f64 = 160.0;
/// The least width of axes: the library makes narrower ones as wide, at the expense of their margin.
const LEAST_AXIS: f64 = 150.0;
/// What the rows are, written above their names.
const TRUE_CLASS: &str = "true class";
/// From the names of the rows to the cells.
const BESIDE: f64 = 8.0;
/// Smallest legible text.
const LEAST: u32 = 9;

/// Draws a confusion matrix as a heat map, a row for each true class and a column for each
/// predicted one.
///
/// A cell holds its count and, below, its share of the row; the larger the share, the darker the
/// cell. Ten classes make a picture about 1600 pixels wide. Beyond ten the cells have no space for
/// the share, and a count that does not fit either is left to the colour.
///
/// # Errors
///
/// [`PlotError::Data`] if there are no classes, more than 100, or not as many rows and columns as
/// classes.
pub fn confusion(title: &str, matrix: &ConfusionMatrix) -> Result<Picture, PlotError> {
    check(matrix).map_err(|reason| PlotError::Data { picture: "confusion matrix", reason })?;
    Ok(compose(title, None, Vec::new(), vec![heat_map(matrix)]))
}

pub(super) fn check(matrix: &ConfusionMatrix) -> Result<(), String> {
    let classes = matrix.classes.len();
    if !(1..=MOST_CLASSES).contains(&classes) {
        return Err(format!("expected 1 to {MOST_CLASSES} classes, got {classes}"));
    }
    if matrix.counts.len() != classes {
        let rows = matrix.counts.len();
        return Err(format!("expected a row of counts for each of {classes} classes, got {rows}"));
    }
    match matrix.counts.iter().position(|row| row.len() != classes) {
        Some(i) => {
            let got = matrix.counts[i].len();
            Err(format!("expected {classes} counts in row {i}, got {got}"))
        }
        None => Ok(()),
    }
}

fn heat_map(matrix: &ConfusionMatrix) -> Scene {
    let count = matrix.classes.len() as f64;
    let across = match count {
        ..=10.0 => (575.0 / count).min(110.0).max(LEAST_AXIS / count),
        _ => (750.0 / count).max(13.0),
    };
    let cell = (across, if count <= 10.0 { across * 0.72 } else { across });
    // The library draws the first row at the bottom.
    let shares: Vec<Vec<f64>> = matrix.counts.iter().rev().map(|row| shares(row)).collect();
    let values = || shares.iter().flatten().copied();
    let (low, high) = (values().fold(1.0, f64::min), values().fold(0.0, f64::max));
    // It hands on where a value lies between the least and the largest one.
    let colors = move |t: f64| css(heat(low + t * (high - low)));
    let map = Heatmap::new()
        .with_data(shares.iter().cloned())
        .with_color_map(ColorMap::Custom(Arc::new(colors)))
        .with_cell_size(1.0);
    let plots: Vec<Plot> = vec![map.into()];

    let mut axes = axes(matrix, cell);
    axes.show_colorbar = high > low;
    let mut margins = ComputedLayout::from_layout(&axes);
    margins.margin_left = margins.margin_left.max(text_width(TRUE_CLASS, LABEL) + BESIDE);
    axes.force_margin_left = Some(margins.margin_left);
    axes.width = Some(margins.margin_left + count * cell.0 + margins.margin_right);
    axes.height = Some(margins.margin_top + count * cell.1 + margins.margin_bottom);
    let place = ComputedLayout::from_layout(&axes);
    let mut scene = render_multiple(plots, axes);
    let corner = (place.margin_left - BESIDE, HEAD - 9.0);
    scene.add(text_at(TRUE_CLASS, corner, LABEL, INK, TextAnchor::End));
    for (row, counts) in matrix.counts.iter().enumerate() {
        for (column, (count, share)) in counts.iter().zip(self::shares(counts)).enumerate() {
            let x = place.map_x(column as f64 + 1.0);
            let y = place.map_y((matrix.classes.len() - row) as f64);
            outline(&mut scene, (x, y), cell, (GRID, 0.5));
            cell_text(&mut scene, (x, y), cell, (*count, share));
        }
    }
    let middle = (place.map_x((count + 1.0) / 2.0), place.map_y((count + 1.0) / 2.0));
    outline(&mut scene, middle, (count * cell.0, count * cell.1), (INK, 1.0));
    scene
}

/// The names of the classes at cells of a size.
fn axes(matrix: &ConfusionMatrix, cell: (f64, f64)) -> Layout {
    let ends = (0.5, matrix.classes.len() as f64 + 0.5);
    let largest = TICK.min((0.9 * cell.1) as u32).max(LEAST);
    let level = |size: &u32| {
        let widths: Vec<f64> =
            matrix.classes.iter().map(|name| text_width(&plain(name), *size)).collect();
        let neighbours = widths.windows(2).all(|pair| (pair[0] + pair[1]) / 2.0 + 6.0 <= cell.0);
        neighbours && widths.iter().all(|width| width - cell.0 <= HEAD)
    };
    let size = (LEAST..=largest).rev().find(level);
    let names = |size| matrix.classes.iter().map(move |name| shorten(name, size, NAME));
    let mut layout = layout(ends, ends)
        .with_show_grid(false)
        .with_x_label("predicted class")
        .with_tick_size(size.unwrap_or(largest))
        .with_y_categories(names(size.unwrap_or(largest)).rev().collect())
        .with_x_categories(names(size.unwrap_or(largest)).collect())
        .with_colorbar_tick_format(TickFormat::Custom(Arc::new(|share| {
            format!("{} %", (1e4 * share).round() / 1e2)
        })));
    if size.is_none() {
        // Slanting names are easier to read, and need more space.
        layout.x_tick_rotate = Some(if cell.0 < 20.0 { -90.0 } else { -45.0 });
    }
    layout.force_margin_top = Some(HEAD);
    layout
}

/// The share of each count in their sum.
pub fn shares(counts: &[u64]) -> Vec<f64> {
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    counts.iter().map(|count| if total > 0.0 { *count as f64 / total } else { 0.0 }).collect()
}

/// Draws a rectangle around a place.
pub(super) fn outline(
    scene: &mut Scene,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    (color, stroke): (Rgb, f64),
) {
    scene.add(Primitive::Rect {
        x: x - width / 2.0,
        y: y - height / 2.0,
        width,
        height,
        fill: Color::None,
        stroke: Some(css(color).into()),
        stroke_width: Some(stroke),
        opacity: None,
    });
}

/// Count and share, where they fit. The library's own text would be black on dark cells, and a count
/// would read `952.00`.
pub(super) fn cell_text(
    scene: &mut Scene,
    (x, y): (f64, f64),
    cell: (f64, f64),
    (count, share): (u64, f64),
) {
    let room = cell.0 - 4.0;
    let mut text = |content: &str, y: f64, size: u32, color| {
        // The middle of a digit is 0.36 of the size above its baseline.
        let at = (x, y + 0.36 * f64::from(size));
        scene.add(text_at(content, at, size, color, TextAnchor::Middle));
    };
    let number = count.to_string();
    let Some(size) = fitting(&number, LABEL.min((0.6 * cell.1) as u32), room) else { return };
    if count == 0 {
        return text(&number, y, size, MUTED);
    }
    let color = readable_on(heat(share));
    let percent = per_cent(share);
    match fitting(&percent, TICK.min((0.3 * cell.1) as u32), room) {
        Some(small) => {
            text(&number, y - 0.6 * f64::from(small), size, color);
            text(&percent, y + 0.7 * f64::from(size), small, color);
        }
        None => text(&number, y, size, color),
    }
}

/// The largest legible size at which a text fits.
fn fitting(text: &str, most: u32, room: f64) -> Option<u32> {
    (LEAST..=most).rev().find(|&size| text_width(text, size) <= room)
}

/// A share in per cent; what is not zero does not read as zero.
pub fn per_cent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 100.0 {
        "100 %".into()
    } else if percent < 0.05 {
        "<0.1 %".into()
    } else if percent >= 99.95 {
        ">99.9 %".into()
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    const FASHION: [&str; 10] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];

    fn matrix(names: &[&str], counts: &[&[u64]]) -> ConfusionMatrix {
        ConfusionMatrix {
            classes: names.iter().map(ToString::to_string).collect(),
            counts: counts.iter().map(|row| row.to_vec()).collect(),
        }
    }

    fn same(name: &str, count: usize, value: u64) -> ConfusionMatrix {
        let classes = vec![name.to_string(); count];
        ConfusionMatrix { classes, counts: vec![vec![value; count]; count] }
    }

    #[test]
    fn a_matrix_that_is_not_square_is_refused_by_row() {
        let many = vec!["a"; 101];
        for (bad, reason) in [
            (matrix(&[], &[]), "expected 1 to 100 classes, got 0"),
            (matrix(&many, &[]), "expected 1 to 100 classes, got 101"),
            (
                matrix(&["a", "b"], &[&[1, 2]]),
                "expected a row of counts for each of 2 classes, got 1",
            ),
            (matrix(&["a", "b"], &[&[1, 2], &[3]]), "expected 2 counts in row 1, got 1"),
        ] {
            let message = confusion("", &bad).unwrap_err().to_string();
            assert_eq!(message, format!("cannot draw the confusion matrix: {reason}"));
        }
    }

    /// The cells: left, top and colour.
    fn cells(scene: &Scene) -> Vec<(f64, f64, Color)> {
        let batch = scene.elements.iter().find_map(|element| match element {
            Primitive::RectBatch { x, y, fills, .. } => Some((x, y, fills)),
            _ => None,
        });
        let (x, y, fills) = batch.expect("no cells");
        x.iter().zip(y).zip(fills).map(|((x, y), fill)| (*x, *y, fill.clone())).collect()
    }

    /// Size and colour of a text that is level.
    fn text(scene: &Scene, text: &str) -> Option<(u32, Option<Color>)> {
        scene.elements.iter().find_map(|element| match element {
            Primitive::Text { content, size, color, rotate: None, .. } if content == text => {
                Some((*size, color.clone()))
            }
            _ => None,
        })
    }

    #[test]
    fn a_cell_has_the_colour_of_its_share_of_the_row() {
        // Row a: 3/4 and 1/4. Row b: 1/100 and 99/100, whatever the column's sums. Row c: no images.
        let counts: [&[u64]; 3] = [&[3, 1, 0], &[10, 990, 0], &[0, 0, 0]];
        let cells = cells(&heat_map(&matrix(&["a", "b", "c"], &counts)));
        // The first row is at the top, the first column on the left.
        let (left, top) = cells
            .iter()
            .fold((f64::MAX, f64::MAX), |(left, top), (x, y, _)| (left.min(*x), top.min(*y)));
        let expected = [[0.75, 0.25, 0.0], [0.01, 0.99, 0.0], [0.0; 3]];
        assert_eq!(cells.len(), 9);
        for (x, y, color) in cells {
            let column = ((x - left) / 110.0).round() as usize;
            let row = ((y - top) / 79.2).round() as usize;
            assert_eq!(color, css(heat(expected[row][column])).into(), "{row} {column}");
        }
    }

    #[test]
    fn text_is_light_on_dark_cells_and_dark_on_light_ones() {
        let scene = heat_map(&matrix(&["a", "b"], &[&[90, 10], &[10, 90]]));
        let color = |content| text(&scene, content).and_then(|found| found.1);
        for dark in ["90", "90.0 %"] {
            assert_eq!(color(dark), Some(Color::Rgb(255, 255, 255)), "{dark}");
        }
        for light in ["10", "10.0 %"] {
            assert_eq!(color(light), Some(css(INK).into()), "{light}");
        }
    }

    #[test]
    fn names_of_garments_are_whole_and_level() {
        let scene = heat_map(&matrix(&FASHION, &[[1000; 10].as_slice(); 10]));
        for name in FASHION {
            let of_it = |element: &&Primitive| matches!(element, Primitive::Text { content, rotate: None, .. } if content == name);
            assert_eq!(scene.elements.iter().filter(of_it).count(), 2, "{name}");
            assert!(text(&scene, name).unwrap().0 >= 10, "{name}");
        }
        assert!(text(&scene, "1000").is_some() && text(&scene, "10.0 %").is_some());
    }

    #[test]
    fn nothing_is_clipped_whatever_the_number_of_classes_and_the_lengths() {
        let long = "a name that is much longer than any cell is wide";
        let most = u64::MAX / 40;
        for (count, name) in
            [(1, long), (1, ""), (2, "a"), (3, long), (10, "Ankle boot"), (10, long), (40, long)]
        {
            let picture = confusion(&"Title ".repeat(34), &same(name, count, most)).unwrap();
            let pixels = Pixels::new(&picture);
            assert_eq!(pixels.size, picture.size());
            assert!(pixels.border_is_clear(), "{count} classes named {name}");
        }
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let matrix = matrix(&["$\\alpha$", "<b>&\n"], &[&[3, 1], &[0, 4]]);
        let svg = confusion("", &matrix).unwrap().to_svg();
        assert_eq!(svg.matches(">$\\alpha$<").count(), 2, "{svg}");
        assert_eq!(svg.matches(">&lt;b&gt;&amp; <").count(), 2, "{svg}");
    }

    #[test]
    fn shares_never_read_as_nothing_or_all_when_they_are_not() {
        let shown = [0.0001, 0.0625, 0.5, 0.9999, 1.0].map(per_cent);
        assert_eq!(shown, ["<0.1 %", "6.2 %", "50.0 %", ">99.9 %", "100 %"]);
    }
}
