//! Each class against all others.

use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};
use selvedge_train::ConfusionMatrix;

use super::confusion::{cell_text, check, outline, shares};
use super::page::{compose, shorten, text_at};
use super::picture::{Picture, PlotError};
use super::style::{GRID, INK, LABEL, MUTED, TICK, css, heat};

/// Width and height of a cell.
const CELL: (f64, f64) = (92.0, 58.0);
/// Above the cells: the name of the class, and the names of the columns.
const HEAD: f64 = 50.0;
/// Left of the cells: the names of the rows.
const BESIDE: f64 = 66.0;
/// Between two matrices.
const BETWEEN: f64 = 26.0;
/// Matrices beside one another.
const ACROSS: usize = 5;

/// Draws a matrix of two rows and two columns for each class: the images of the class and all others, and
/// what was taken for the class and what for another. A cell holds its count and its share of the row.
///
/// # Errors
///
/// As [`confusion`](super::confusion()).
pub fn one_vs_rest(title: &str, matrix: &ConfusionMatrix) -> Result<Picture, PlotError> {
    check(matrix)
        .map_err(|reason| PlotError::Data { picture: "one-against-rest matrix", reason })?;
    let across = matrix.classes.len().min(ACROSS);
    let (width, height) = (BESIDE + 2.0 * CELL.0 + BETWEEN, HEAD + 2.0 * CELL.1 + BETWEEN);
    let down = matrix.classes.len().div_ceil(across);
    let mut scene = Scene::new(across as f64 * width, down as f64 * height);
    for (i, (name, counts)) in matrix.classes.iter().zip(matrix.one_vs_rest()).enumerate() {
        let (left, top) = ((i % across) as f64 * width, (i / across) as f64 * height);
        let rows = [
            [counts.true_positives, counts.false_negatives],
            [counts.false_positives, counts.true_negatives],
        ];
        let mut text = |content: &str, (x, y): (f64, f64), size, color, anchor| {
            scene.add(text_at(content, (left + x, top + y), size, color, anchor));
        };
        let (start, middle, end) = (TextAnchor::Start, TextAnchor::Middle, TextAnchor::End);
        text(&shorten(name, LABEL, 2.0 * CELL.0), (BESIDE, 18.0), LABEL, INK, start);
        for (column, named) in ["taken for it", "for another"].into_iter().enumerate() {
            let x = BESIDE + (column as f64 + 0.5) * CELL.0;
            text(named, (x, HEAD - 8.0), TICK, MUTED, middle);
        }
        for (row, named) in ["it is", "it is not"].into_iter().enumerate() {
            let y = HEAD + (row as f64 + 0.5) * CELL.1 + 0.36 * f64::from(TICK);
            text(named, (BESIDE - 8.0, y), TICK, MUTED, end);
        }
        for (row, counts) in rows.iter().enumerate() {
            for (column, (count, share)) in counts.iter().zip(shares(counts)).enumerate() {
                let x = left + BESIDE + (column as f64 + 0.5) * CELL.0;
                let y = top + HEAD + (row as f64 + 0.5) * CELL.1;
                scene.add(filled((x, y), share));
                outline(&mut scene, (x, y), CELL, (GRID, 0.5));
                cell_text(&mut scene, (x, y), CELL, (*count, share));
            }
        }
    }
    Ok(compose(title, None, Vec::new(), vec![scene]))
}

/// A cell of the colour of its share.
fn filled((x, y): (f64, f64), share: f64) -> Primitive {
    Primitive::Rect {
        x: x - CELL.0 / 2.0,
        y: y - CELL.1 / 2.0,
        width: CELL.0,
        height: CELL.1,
        fill: Color::from(css(heat(share))),
        stroke: None,
        stroke_width: None,
        opacity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn matrix(classes: usize, name: &str) -> ConfusionMatrix {
        let counts = (0..classes).map(|i| (0..classes).map(|j| (i * 7 + j) as u64).collect());
        ConfusionMatrix { classes: vec![name.into(); classes], counts: counts.collect() }
    }

    #[test]
    fn every_class_has_its_four_counts() {
        // Of three images of a, one is taken for b; of the four that are none, two for a.
        let classes = ["a", "b"].map(String::from).to_vec();
        let counts = vec![vec![2, 1], vec![2, 2]];
        let svg = one_vs_rest("t", &ConfusionMatrix { classes, counts }).unwrap().to_svg();
        // a: 2, 1, 2, 2; b: 2, 2, 1, 2.
        assert_eq!((svg.matches(">2<").count(), svg.matches(">1<").count()), (6, 2));
        assert_eq!(svg.matches(">66.7 %<").count(), 2, "{svg}");
    }

    #[test]
    fn nothing_is_clipped_whatever_the_number_of_classes_and_their_names() {
        for (classes, name) in
            [(1, "a"), (2, "a name that is longer than two cells are wide"), (11, "")]
        {
            let picture = one_vs_rest(&"Title ".repeat(20), &matrix(classes, name)).unwrap();
            assert!(Pixels::new(&picture).border_is_clear(), "{classes} classes");
        }
    }

    #[test]
    fn a_matrix_without_classes_is_refused() {
        let message = one_vs_rest("", &matrix(0, "")).unwrap_err().to_string();
        assert!(message.ends_with("one-against-rest matrix: expected 1 to 100 classes, got 0"));
    }
}
