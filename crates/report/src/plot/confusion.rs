//! Which class was taken for which.

use std::path::Path;

use super::PlotError;
use super::heat_map::HeatMap;
use super::save::save;
use selvedge_train::ConfusionMatrix;

/// Most classes that fit on a picture.
const MOST: usize = 100;

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
/// classes; [`PlotError::Write`] if the file cannot be written.
pub fn confusion(path: &Path, title: &str, matrix: &ConfusionMatrix) -> Result<(), PlotError> {
    let data = |reason| PlotError::Data { path: path.into(), reason };
    check(matrix).map_err(data)?;
    let map = HeatMap::new(title, matrix);
    save(path, map.size(), |canvas| map.draw(canvas))
}

fn check(matrix: &ConfusionMatrix) -> Result<(), String> {
    let classes = matrix.classes.len();
    if !(1..=MOST).contains(&classes) {
        return Err(format!("expected 1 to {MOST} classes, got {classes}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::png_size;

    fn matrix(names: &[&str], counts: &[&[u64]]) -> ConfusionMatrix {
        ConfusionMatrix {
            classes: names.iter().map(ToString::to_string).collect(),
            counts: counts.iter().map(|row| row.to_vec()).collect(),
        }
    }

    #[test]
    fn a_matrix_that_is_not_square_is_refused_by_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion.png");
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
            let message = confusion(&path, "", &bad).unwrap_err().to_string();
            assert_eq!(message, format!("cannot draw {}: {reason}", path.display()));
        }
        assert!(!path.exists());
    }

    #[test]
    fn the_file_has_the_size_of_the_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion.png");
        let matrix = matrix(&["a", "b"], &[&[3, 1], &[0, 4]]);
        confusion(&path, "title", &matrix).unwrap();
        assert_eq!(png_size(&path), HeatMap::new("title", &matrix).size());
    }
}
