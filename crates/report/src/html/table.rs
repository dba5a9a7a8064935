/// Rows of numbers, with what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<String>,
    /// From the top down.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) mark: Mark,
}

/// What is special about a row. The page shows it by a sign and a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// It is the best.
    Best,
    /// Chance alone explains how it differs from the best.
    Tied,
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// There is none.
    None,
    /// Words.
    Text(String),
    /// A number, or several, as they are to be read; a line break is one in the table, too.
    Number(String),
    /// A share, 0 to 1, as per cent above a bar of that length.
    Share(f64),
    /// A number on a coloured ground.
    Heat {
        /// What stands there.
        text: String,
        /// The colours of ground and text, as CSS has them.
        colors: [String; 2],
    },
}

impl Table {
    /// A table without rows. Each row has a cell for each column.
    pub fn new<S: Into<String>>(
        caption: impl Into<String>,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Whether a column is one of numbers: then it is set to the right.
    pub(super) fn is_number(&self, column: &usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.cells.get(*column));
        let first = cells.find(|cell| !matches!(cell, Cell::None));
        first.is_some_and(|cell| !matches!(cell, Cell::Text(_)))
    }
}

impl Row {
    /// The same, marked.
    #[must_use]
    pub fn with_mark(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }
}

impl<const N: usize> From<[Cell; N]> for Row {
    fn from(cells: [Cell; N]) -> Self {
        Vec::from(cells).into()
    }
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Self {
        Self { cells, mark: Mark::None }
    }
}

impl Mark {
    /// The class of the row.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Best => "best",
            Self::Tied => "tied",
        }
    }
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// How many.
    pub fn count(count: usize) -> Self {
        Self::Number(count.to_string())
    }

    /// A number with so many digits after the point; none if it is not finite.
    pub fn number(value: f64, digits: usize) -> Self {
        match value.is_finite() {
            true => Self::Number(fixed(value, digits)),
            false => Self::None,
        }
    }

    /// A mean and, where there is one, the standard deviation.
    pub fn mean(mean: f64, deviation: Option<f64>, digits: usize) -> Self {
        let text = fixed(mean, digits);
        Self::Number(match deviation {
            Some(deviation) => format!("{text} ± {deviation:.digits$}"),
            None => text,
        })
    }

    /// The same, and the ends of its interval on a line of their own.
    #[must_use]
    pub fn with_interval(self, (low, high): (f64, f64), digits: usize) -> Self {
        match self {
            Self::Number(text) => {
                Self::Number(format!("{text}\n{} to {}", fixed(low, digits), fixed(high, digits)))
            }
            other => other,
        }
    }

    /// A difference, with its sign, and the ends of its interval on a line of their own.
    pub fn difference(mean: f64, (low, high): (f64, f64), digits: usize) -> Self {
        let [mean, low, high] = [mean, low, high].map(|value| signed(value, digits));
        Self::Number(format!("{mean}\n{low} to {high}"))
    }

    /// A probability of the null hypothesis, with three digits.
    pub fn p(p: f64) -> Self {
        Self::Number(if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") })
    }

    /// A share, 0 to 1; none if it is not finite.
    pub fn share(share: f64) -> Self {
        if share.is_finite() { Self::Share(share.clamp(0.0, 1.0)) } else { Self::None }
    }

    /// Per cent of a [`Share`](Self::Share), for the length of its bar.
    pub(super) fn percent(share: &f64) -> String {
        format!("{:.1}", 100.0 * share)
    }
}

/// A number with a true minus.
fn fixed(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('-', "−")
}

/// The same, with a plus where it is above 0.
fn signed(value: f64, digits: usize) -> String {
    format!("{value:+.digits$}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_print() {
        let shown = |cell| match cell {
            Cell::Number(text) => text,
            other => format!("{other:?}"),
        };
        assert_eq!(shown(Cell::mean(-0.5, Some(0.125), 2)), "−0.50 ± 0.12");
        assert_eq!(shown(Cell::mean(0.5, None, 1)), "0.5");
        let mean = Cell::number(0.5, 1).with_interval((-1.0, 2.0), 1);
        assert_eq!(shown(mean), "0.5\n−1.0 to 2.0");
        assert_eq!(Cell::None.with_interval((-1.0, 2.0), 1), Cell::None);
        assert_eq!(shown(Cell::difference(0.25, (-0.5, 1.0), 2)), "+0.25\n−0.50 to +1.00");
        assert_eq!([0.0004, 0.03125].map(|p| shown(Cell::p(p))), ["< 0.001", "0.031"]);
        assert_eq!([Cell::number(f64::NAN, 2), Cell::share(f64::NAN)], [Cell::None, Cell::None]);
    }
}
