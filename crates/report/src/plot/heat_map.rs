//! The picture of a confusion matrix.

use super::canvas::{Anchor, Canvas, DrawError, Point, Style};
use super::color_scale;
use super::palette::{GRID, INK, LABEL, MARGIN, MUTED, TICK, TITLE, heat, readable_on};
use super::text::{self, Paragraph};
use selvedge_train::ConfusionMatrix;

/// Widest name of a class in pixels; a longer one is shortened.
const NAME: f64 = 320.0;
/// Smallest legible text in pixels.
const LEAST: f64 = 18.0;

/// How the names of the predicted classes are written.
enum ColumnNames {
    /// Lines below each other.
    Level(Vec<Vec<String>>),
    Upwards(Vec<String>),
}

/// A matrix and where its parts go.
pub struct HeatMap<'a> {
    matrix: &'a ConfusionMatrix,
    title: Paragraph,
    /// Width and height in pixels.
    cell: (f64, f64),
    row_names: Vec<String>,
    row_size: f64,
    column_names: ColumnNames,
    column_size: f64,
    /// Upper left corner of the cells.
    origin: Point,
    width: f64,
    height: f64,
}

impl<'a> HeatMap<'a> {
    /// Lays out a matrix that has been checked.
    pub fn new(title: &str, matrix: &'a ConfusionMatrix) -> Self {
        let count = matrix.classes.len() as f64;
        let across =
            if count <= 10.0 { (1150.0 / count).min(220.0) } else { (1500.0 / count).max(26.0) };
        let cell = (across, if count <= 10.0 { across * 0.72 } else { across });

        let row_size = LABEL.min(cell.1 * 0.9).max(LEAST);
        let row_size = text::shrink(
            matrix.classes.iter().map(String::as_str),
            row_size,
            22.0_f64.min(row_size),
            NAME,
        );
        let row_names: Vec<String> =
            matrix.classes.iter().map(|name| text::shorten(name, row_size, NAME)).collect();
        let widest =
            |names: &[String], size| names.iter().map(|n| text::width(n, size)).fold(0.0, f64::max);
        let (column_names, column_size) = column_names(&matrix.classes, cell.0);

        let left = MARGIN + LABEL + 16.0 + widest(&row_names, row_size) + 14.0;
        let below = 12.0
            + LABEL
            + 14.0
            + match &column_names {
                ColumnNames::Level(names) => {
                    names.iter().map(Vec::len).max().unwrap_or(0) as f64
                        * column_size
                        * text::LEADING
                }
                ColumnNames::Upwards(names) => widest(names, column_size),
            };
        let width = left + count * cell.0 + color_scale::WIDTH + MARGIN;
        let title = Paragraph::fit(title, TITLE, width - 2.0 * MARGIN);
        let top = MARGIN * 0.7 + title.height() + 22.0;
        let height = top + (count * cell.1).max(color_scale::LEAST_HEIGHT) + below + MARGIN * 0.7;
        let origin = (left, top);
        Self {
            matrix,
            title,
            cell,
            row_names,
            row_size,
            column_names,
            column_size,
            origin,
            width,
            height,
        }
    }

    /// Width and height of the picture in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width.ceil() as u32, self.height.ceil() as u32)
    }

    /// The lower right corner of the cells.
    fn end(&self) -> Point {
        let count = self.matrix.classes.len() as f64;
        (self.origin.0 + count * self.cell.0, self.origin.1 + count * self.cell.1)
    }

    fn corner(&self, row: usize, column: usize) -> Point {
        (self.origin.0 + column as f64 * self.cell.0, self.origin.1 + row as f64 * self.cell.1)
    }

    /// Draws the picture.
    pub fn draw(&self, canvas: &Canvas) -> Result<(), DrawError> {
        canvas.paragraph(&self.title, MARGIN, MARGIN * 0.7, INK)?;
        for row in 0..self.matrix.classes.len() {
            self.row(canvas, row)?;
        }
        let (left, top) = self.origin;
        let (right, bottom) = self.end();
        canvas.border((left - 1.0, top - 1.0), (right + 1.0, bottom + 1.0), INK, 1.5)?;
        self.names(canvas)?;
        let style = Style::new(LABEL, INK, Anchor::Middle);
        let middle = (top + bottom) / 2.0;
        canvas.text("true class", (MARGIN + LABEL / 2.0, middle), style.upwards())?;
        let foot = self.height - MARGIN * 0.7 - LABEL / 2.0;
        canvas.text("predicted class", ((left + right) / 2.0, foot), style)?;
        color_scale::draw(canvas, (self.end().0, top), bottom)
    }

    fn row(&self, canvas: &Canvas, row: usize) -> Result<(), DrawError> {
        let counts = &self.matrix.counts[row];
        let total: f64 = counts.iter().map(|count| *count as f64).sum();
        for (column, count) in counts.iter().enumerate() {
            let share = if total > 0.0 { *count as f64 / total } else { 0.0 };
            let (left, top) = self.corner(row, column);
            let (right, bottom) = (left + self.cell.0, top + self.cell.1);
            canvas.rectangle((left, top), (right, bottom), heat(share))?;
            canvas.border((left, top), (right, bottom), GRID, 0.5)?;
            self.cell_text(canvas, ((left + right) / 2.0, (top + bottom) / 2.0), (*count, share))?;
        }
        Ok(())
    }

    /// Count and share, where they fit.
    fn cell_text(
        &self,
        canvas: &Canvas,
        at: Point,
        (count, share): (u64, f64),
    ) -> Result<(), DrawError> {
        let room = self.cell.0 - 10.0;
        let background = heat(share);
        let number = count.to_string();
        let size = text::shrink([number.as_str()], LABEL.min(self.cell.1 * 0.6), 0.0, room);
        if size < LEAST * 0.8 {
            return Ok(());
        }
        if count == 0 {
            return canvas.text(&number, at, Style::new(size, MUTED, Anchor::Middle));
        }
        let color = readable_on(background);
        let percent = per_cent(share);
        let small = text::shrink([percent.as_str()], TICK.min(self.cell.1 * 0.3), 0.0, room);
        if small < LEAST {
            return canvas.text(&number, at, Style::new(size, color, Anchor::Middle));
        }
        let style = |size| Style::new(size, color, Anchor::Middle);
        canvas.text(&number, (at.0, at.1 - 0.55 * small), style(size))?;
        canvas.text(&percent, (at.0, at.1 + 0.65 * size), style(small))
    }

    fn names(&self, canvas: &Canvas) -> Result<(), DrawError> {
        for (i, name) in self.row_names.iter().enumerate() {
            let at = (self.origin.0 - 14.0, self.corner(i, 0).1 + self.cell.1 / 2.0);
            canvas.text(name, at, Style::new(self.row_size, INK, Anchor::Right))?;
        }
        let top = self.end().1 + 12.0;
        let middle = |i: usize| self.corner(0, i).0 + self.cell.0 / 2.0;
        let style = Style::new(self.column_size, INK, Anchor::Middle);
        match &self.column_names {
            ColumnNames::Level(names) => {
                for (i, lines) in names.iter().enumerate() {
                    for (line, text) in lines.iter().enumerate() {
                        let y = top + (line as f64 + 0.5) * self.column_size * text::LEADING;
                        canvas.text(text, (middle(i), y), style)?;
                    }
                }
            }
            ColumnNames::Upwards(names) => {
                let style = Style { anchor: Anchor::Right, ..style.upwards() };
                for (i, name) in names.iter().enumerate() {
                    canvas.text(name, (middle(i), top), style)?;
                }
            }
        }
        Ok(())
    }
}

/// Names below columns of a width: level if they fit on two lines, or else upwards.
fn column_names(classes: &[String], width: f64) -> (ColumnNames, f64) {
    for size in [LABEL, 28.0, TICK, 24.0, 22.0, 20.0] {
        let level = |name: &String| text::wrap_whole_words(name, size, width - 8.0, 2);
        if let Some(names) = classes.iter().map(level).collect() {
            return (ColumnNames::Level(names), size);
        }
    }
    let size = TICK.min(width * 0.9);
    let names = classes.iter().map(|name| text::shorten(name, size, NAME)).collect();
    (ColumnNames::Upwards(names), size)
}

/// A share in per cent; what is not zero does not read as zero.
fn per_cent(share: f64) -> String {
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
    use plotters::style::RGBColor;

    use super::*;
    use crate::plot::palette::PAPER;
    use crate::plot::testing::Picture;

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

    fn picture(title: &str, matrix: &ConfusionMatrix) -> Picture {
        let map = HeatMap::new(title, matrix);
        Picture::new(map.size(), |canvas| map.draw(canvas))
    }

    /// The colour of a cell, beside its text.
    fn cell(map: &HeatMap, picture: &Picture, row: usize, column: usize) -> RGBColor {
        let (x, y) = map.corner(row, column);
        picture.at(x as u32 + 4, y as u32 + 4)
    }

    #[test]
    fn a_cell_has_the_colour_of_its_share_of_the_row() {
        // Row a: 3/4 and 1/4. Row b: 1/100 and 99/100, whatever the column's sums.
        let matrix = matrix(&["a", "b"], &[&[3, 1], &[10, 990]]);
        let map = HeatMap::new("title", &matrix);
        let picture = picture("title", &matrix);
        for (row, column, share) in [(0, 0, 0.75), (0, 1, 0.25), (1, 0, 0.01), (1, 1, 0.99)] {
            assert_eq!(cell(&map, &picture, row, column), heat(share), "{row} {column}");
        }
    }

    #[test]
    fn text_is_light_on_dark_cells_and_dark_on_light_ones() {
        let matrix = matrix(&["a", "b"], &[&[99, 1], &[1, 99]]);
        let map = HeatMap::new("", &matrix);
        let picture = picture("", &matrix);
        let inside = |row, column, color| {
            let ((x, y), (width, height)) = (map.corner(row, column), map.cell);
            let columns = (x + 3.0) as u32..(x + width - 3.0) as u32;
            let rows = (y + 3.0) as u32..(y + height - 3.0) as u32;
            picture.find(color, columns).iter().filter(|at| rows.contains(&at.1)).count()
        };
        assert!(inside(0, 0, PAPER) > 50 && inside(0, 0, INK) == 0);
        assert!(inside(0, 1, INK) > 50);
    }

    #[test]
    fn names_of_garments_are_whole_and_level() {
        let classes: Vec<String> = FASHION.iter().map(ToString::to_string).collect();
        let counts = vec![vec![1; 10]; 10];
        let matrix = ConfusionMatrix { classes, counts };
        let map = HeatMap::new("", &matrix);
        assert_eq!(map.row_names, FASHION);
        let ColumnNames::Level(names) = &map.column_names else { panic!("names are upwards") };
        assert!(names.iter().map(|lines| lines.join(" ")).eq(FASHION));
        assert!(map.column_size >= 20.0);
    }

    #[test]
    fn nothing_is_clipped_whatever_the_number_of_classes_and_the_lengths() {
        let long = "a name that is much longer than any cell is wide";
        for (count, name) in
            [(1, long), (2, "a"), (3, long), (10, "Ankle boot"), (10, long), (40, long)]
        {
            let classes = vec![name.to_string(); count];
            let counts = vec![vec![u64::MAX / 40; count]; count];
            let picture = picture(&"Title ".repeat(34), &ConfusionMatrix { classes, counts });
            assert!(picture.border_is_clear(), "{count} classes named {name}");
        }
    }

    #[test]
    fn a_class_without_images_has_white_cells() {
        let matrix = matrix(&["a", "b"], &[&[0, 0], &[0, 5]]);
        let map = HeatMap::new("", &matrix);
        let picture = picture("", &matrix);
        assert_eq!(cell(&map, &picture, 0, 0), PAPER);
        assert_eq!(cell(&map, &picture, 1, 1), heat(1.0));
    }

    #[test]
    fn shares_never_read_as_nothing_or_all_when_they_are_not() {
        let shown = [0.0001, 0.0625, 0.5, 0.9999, 1.0].map(per_cent);
        assert_eq!(shown, ["<0.1 %", "6.2 %", "50.0 %", ">99.9 %", "100 %"]);
    }
}
