use selvedge_train::{Average, ConfusionMatrix};

use super::{Cell, Row, Table};
use crate::plot::{heat_colors, per_cent, shares};

/// Which class was taken for which: a row for each true class, a column for each predicted one. The larger the share
/// of its row, the darker a cell.
pub fn confusion_table(caption: impl Into<String>, matrix: &ConfusionMatrix) -> Table {
    let columns = ["true class ↓ / predicted →".to_owned()];
    let mut table = Table::new(caption, columns.into_iter().chain(matrix.classes.iter().cloned()));
    for (class, counts) in matrix.classes.iter().zip(&matrix.counts) {
        let cell = |(&count, share): (&u64, f64)| {
            let text =
                if count == 0 { "0".into() } else { format!("{count} · {}", per_cent(share)) };
            Cell::Heat { text, colors: heat_colors(share) }
        };
        let cells = counts.iter().zip(shares(counts)).map(cell);
        let cells = [Cell::text(class)].into_iter().chain(cells);
        table.rows.push(Row::from(cells.collect::<Vec<_>>()));
    }
    table
}

/// Precision, recall and F1 of each class and of all on average, and how many images there are of it.
pub fn class_table(caption: impl Into<String>, matrix: &ConfusionMatrix) -> Table {
    let columns = ["class", "precision (%)", "recall (%)", "F1 (%)", "images"];
    let mut table = Table::new(caption, columns);
    let mean = ("mean of the classes", matrix.average(Average::Macro));
    let classes = matrix.classes.iter().map(String::as_str).zip(matrix.class_scores());
    for (class, scores) in classes.chain([mean]) {
        let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1]
            .map(|share| Cell::number(100.0 * share, 2));
        let images = Cell::Number(scores.support.to_string());
        table.rows.push(Row::from([Cell::text(class), precision, recall, f1, images]));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> ConfusionMatrix {
        let classes = vec!["cat".into(), "dog".into()];
        ConfusionMatrix { classes, counts: vec![vec![8, 2], vec![0, 10]] }
    }

    #[test]
    fn a_cell_has_the_count_and_its_share_of_the_row() {
        let table = confusion_table("", &matrix());
        let text = |row: usize, column: usize| match &table.rows[row].cells[column] {
            Cell::Heat { text, .. } | Cell::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!([text(0, 0), text(0, 1), text(0, 2)], ["cat", "8 · 80.0 %", "2 · 20.0 %"]);
        assert_eq!([text(1, 1), text(1, 2)], ["0", "10 · 100 %"]);
    }

    // sklearn.metrics.precision_recall_fscore_support([0] * 10 + [1] * 10, [0] * 8 + [1] * 12) gives precision 1 and
    // 0.83333333, recall 0.8 and 1, F1 0.88888889 and 0.90909091; their means are 0.91666667, 0.9 and 0.8989899.
    #[test]
    fn scores_of_classes_are_those_of_scikit_learn() {
        let rows = class_table("", &matrix()).rows;
        let numbers = |row: &Row| -> Vec<String> {
            row.cells[1..].iter().map(|cell| format!("{cell:?}")).collect()
        };
        let expected = |all: [&str; 4]| all.map(|text| format!("Number(\"{text}\")"));
        assert_eq!(numbers(&rows[0]), expected(["100.00", "80.00", "88.89", "10"]));
        assert_eq!(numbers(&rows[1]), expected(["83.33", "100.00", "90.91", "10"]));
        assert_eq!(numbers(&rows[2]), expected(["91.67", "90.00", "89.90", "20"]));
    }
}
