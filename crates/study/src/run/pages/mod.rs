//! Pages in Markdown whose tables and figures are made from the records of studies.
//!
//! A page is written by hand. Between two comments stands what a command puts there:
//!
//! ```text
//! <!-- study: a2.toml seeds=2
//! table rows=10
//! curves value=train.loss,validation.loss rows=4
//! -->
//! …
//! <!-- end -->
//! ```
//!
//! The first line has the study file, changes of it as on a command line, `device=NAME` where the trials were not run on
//! `flex`, and `missing=planned` where nothing is to be said of trials that are not there. Each other line, or what
//! follows a `;`, is something to put there:
//!
//! | kind | what it is | options |
//! |---|---|---|
//! | `table` | the variants, the best first; what is put where nothing is asked for | `columns`, `rows`, `order=study`, `only` |
//! | `grid` | values of one setting down, all else across | `by`, `value`, `only` |
//! | `best` | the best of each arm, chosen by the metric | `by`, `value` |
//! | `number` | one mean ± standard deviation, within a line; with "(2 of 6 seeds)" where some are missing | `value`, `only` |
//! | `answer` | what the table says in words | |
//! | `confused` | the classes that are confused most | `rows`, `only` |
//! | `curves` | a figure: values by epoch | `value`, `rows`, `only`, `title`, `name` |
//! | `setting` | a figure: values by a setting that is a number | `by`, `value`, `only`, `title`, `name` |
//! | `intervals` | a figure: means and their 95 % intervals | `value`, `rows`, `only`, `title`, `name` |
//! | `confusion` | a figure: classes in truth and in prediction | `only`, `title`, `name` |
//!
//! | option | what it is |
//! |---|---|
//! | `value` | `test.accuracy` is that of the model that validation chose, `train.loss.best` the best of all epochs; several with commas |
//! | `by` | a setting, such as `dataset.fraction` |
//! | `rows` | so many, the best |
//! | `only` | the name of a variant or an arm; may stand several times |
//! | `columns` | of `seeds`, `metric`, `interval`, `difference`, `p`, `superiority`, `epoch`, `seconds`, `parameters`, and values as above |
//! | `title`, `name` | of a figure: what it asks or answers, and the name of its file |
//!
//! Words with spaces stand in quotes, single or double. What stands in a code fence is left as it is.
//!
//! [`Folder`] fills the pages of a folder from the records that lie beside them.

mod best;
mod block;
mod figures;
mod folder;
mod grid;
mod marks;
mod measure;
mod page;
mod pivot;
mod records;
mod table;
mod words;

pub use block::Block;
pub use folder::{Filled, Folder, FolderError, Skipped};
pub use measure::Measure;
pub use page::{Page, PageError};
pub(super) use pivot::split;

use super::StudyResults;
use block::{Item, Kind};

/// SVG files that are larger are drawn as PNG, if that is smaller.
const LARGE: usize = 200_000;

/// What a block puts into its page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// In Markdown, with links to the figures: `figures/NAME.svg`.
    pub markdown: String,
    /// The files of the figures, by name.
    pub figures: Vec<(String, Vec<u8>)>,
}

impl Block {
    /// What it puts into its page, of what is finished of its study.
    ///
    /// # Errors
    ///
    /// [`PageError`] for a setting, a variant or a value that the study has not, with the line that asks for it.
    pub fn content(&self, results: &StudyResults) -> Result<Content, PageError> {
        let mut content = Content::default();
        let mut parts = Vec::new();
        for item in &self.items {
            let part = match item.kind {
                Kind::Table => table::of(results, item),
                Kind::Grid => grid::of(results, item),
                Kind::Best => best::of(results, item),
                Kind::Number => words::number(results, item),
                Kind::Answer => Ok(words::answer(results, item)),
                Kind::Confused => words::confused(results, item),
                Kind::Curves | Kind::Setting | Kind::Intervals | Kind::Confusion => {
                    self.figure(results, item, &mut content.figures)
                }
            };
            parts.push(part.map_err(|message| PageError {
                line: self.line + item.line,
                message: format!("{}: {message}", item.kind.name()),
            })?);
        }
        parts.retain(|part| !part.is_empty());
        // What fits into a line stays one: an empty line would end the paragraph that it stands in.
        content.markdown = parts.join(if self.is_inline() { " " } else { "\n\n" });
        Ok(content)
    }

    /// Draws a figure; its link.
    fn figure(
        &self,
        results: &StudyResults,
        item: &Item,
        figures: &mut Vec<(String, Vec<u8>)>,
    ) -> Result<String, String> {
        let name = item.name.clone().unwrap_or_else(|| self.figure_name(item));
        let is_taken =
            |(file, _): &(String, _)| file.rsplit_once('.').is_some_and(|(n, _)| n == name);
        if figures.iter().any(is_taken) {
            return Err(format!("another figure is called {name}: give one a `name`"));
        }
        let Some((title, picture)) = figures::of(results, item)? else {
            return Ok("*No trial is finished: there is nothing to draw.*".into());
        };
        let svg = picture.to_svg().into_bytes();
        let png = match svg.len() > LARGE {
            true => Some(picture.to_png().map_err(|error| error.to_string())?),
            false => None,
        };
        let (ending, bytes) = match png {
            Some(png) if png.len() < svg.len() => ("png", png),
            _ => ("svg", svg),
        };
        figures.push((format!("{name}.{ending}"), bytes));
        Ok(format!("![{}](figures/{name}.{ending})", words::escaped(&title)))
    }
}

#[cfg(test)]
mod tests;
