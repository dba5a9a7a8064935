//! A page that says what was asked, what was found and how: one HTML file that needs nothing else.
//!
//! | to | use |
//! |---|---|
//! | put a page together | [`Page`], [`Section`], [`Block`] |
//! | show a picture, with curves to switch on and off | [`Figure`] |
//! | show numbers | [`Table`], [`Row`], [`Cell`] |
//! | show which class was taken for which | [`confusion_table`], [`class_table`] |
//! | say where it was made, and by which command | [`Machine`], [`command_line`](crate::command_line) |
//!
//! The file holds its style, its script and its pictures, and forbids itself to load anything. It is made for
//! screens of any width, light and dark, and for print; without its script it shows everything. All texts are
//! escaped: a class that is called `<script>` stays text.
//!
//! ```
//! use selvedge_report::html::{Block, Cell, Page, Row, Section, Table};
//!
//! let mut table = Table::new("Accuracy on the test images", ["variant", "accuracy (%)"]);
//! table.rows.push(Row::from([Cell::text("plain"), Cell::number(98.7, 1)]));
//! let section = Section::new("Variants").with("One seed each.").with(table);
//! let page = Page::new("Which is best?", "The only one.").with(section);
//! assert!(page.to_html().contains("<td class=\"number\">98.7</td>"));
//! ```

mod figure;
mod machine;
mod matrix;
mod page;
mod table;

pub use figure::Figure;
pub use machine::Machine;
pub use matrix::{class_table, confusion_table};
pub use page::{Block, Page, Section};
pub use table::{Cell, Mark, Row, Table};
