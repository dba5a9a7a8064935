use askama::Template;

use super::{Cell, Figure, Machine, Mark, Table};

/// A page: a question, the answer, and sections that say how it was found.
#[derive(Clone, Debug)]
pub struct Page {
    question: String,
    answer: String,
    warning: String,
    sections: Vec<Section>,
    figures: usize,
}

/// A part of a page, under a heading.
#[derive(Clone, Debug)]
pub struct Section {
    id: String,
    title: String,
    blocks: Vec<Block>,
}

/// What a section is made of, from the top down.
#[derive(Clone, Debug)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A paragraph in small print, such as what marks and columns mean.
    Note(String),
    /// A list.
    List(Vec<String>),
    /// Pairs of a name and a value.
    Facts(Vec<(String, String)>),
    /// Lines as they are, such as settings or a command.
    Code(String),
    /// A picture.
    Figure(Box<Figure>),
    /// A table.
    Table(Table),
}

impl Page {
    /// A page without sections. The question is its title.
    pub fn new(question: impl Into<String>, answer: impl Into<String>) -> Self {
        let (question, answer) = (question.into(), answer.into());
        Self { question, answer, warning: String::new(), sections: Vec::new(), figures: 0 }
    }

    /// The same, with what is to be known before the answer is believed.
    #[must_use]
    pub fn with_warning(self, warning: impl Into<String>) -> Self {
        Self { warning: warning.into(), ..self }
    }

    /// The same, with one section more.
    #[must_use]
    pub fn with(mut self, mut section: Section) -> Self {
        section.id = format!("section-{}", self.sections.len() + 1);
        for block in &mut section.blocks {
            if let Block::Figure(figure) = block {
                self.figures += 1;
                figure.id = format!("figure-{}", self.figures);
            }
        }
        self.sections.push(section);
        self
    }

    /// The file's content. Control characters of texts are replaced by signs that can be seen.
    ///
    /// # Panics
    ///
    /// Never: what is formatted are texts in memory.
    pub fn to_html(&self) -> String {
        let html = Document { page: self }.render().expect("texts are formatted in memory");
        html.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
    }
}

impl Section {
    /// A section with nothing in it.
    pub fn new(title: impl Into<String>) -> Self {
        Self { id: String::new(), title: title.into(), blocks: Vec::new() }
    }

    /// The same, with one block more.
    #[must_use]
    pub fn with(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }

    /// Whether there is nothing under the heading.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

impl From<&str> for Block {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Block {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Figure> for Block {
    fn from(figure: Figure) -> Self {
        Self::Figure(Box::new(figure))
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Machine> for Block {
    fn from(machine: Machine) -> Self {
        Self::Facts(machine.facts())
    }
}

/// The only template: its macro is slow to compile.
#[derive(Template)]
#[template(path = "page.html")]
struct Document<'a> {
    page: &'a Page,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::html::Row;
    use crate::plot::{MeanCurve, MeanCurves, Places, ValueAxis};

    const HOSTILE: &str = "<script>alert('&\"')</script> url(#a) id=\"a\" {{ page }}";

    /// The same in everything that can be put on a page.
    fn page(text: &str) -> Page {
        let curve = |label: &str| MeanCurve::of_epochs(label, &[vec![1.0, 0.5]]);
        let curves = MeanCurves {
            title: text.into(),
            places: Places::Setting(text.into()),
            axis: ValueAxis { label: text.into(), limits: (0.0, f64::INFINITY) },
            curves: vec![curve(text), curve("b")],
        };
        let figure = || Figure::of_curves(&curves, text, text);
        let mut table = Table::new(text, [text, "b"]);
        let marked = Row::from([Cell::text(text), Cell::count(1)]).with_mark(Mark::Best);
        table.rows.extend([marked, Row::from([Cell::None, Cell::share(0.5)])]);
        let facts = Block::Facts(vec![(text.into(), text.into())]);
        let section = Section::new(text)
            .with(text)
            .with(Block::Note(text.into()))
            .with(Block::List(vec![text.into()]))
            .with(facts)
            .with(Block::Code(text.into()))
            .with(figure())
            .with(figure())
            .with(table);
        Page::new(text, text).with_warning(text).with(section.clone()).with(section)
    }

    /// What stands in quotes after ` name=`, within tags.
    fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
        let start = format!(" {name}=\"");
        let tags = html.split('<').filter_map(|part| part.split('>').next());
        let found = tags.flat_map(|tag| tag.match_indices(&start).map(move |(at, _)| &tag[at..]));
        found.filter_map(|text| text[start.len()..].split('"').next()).collect()
    }

    #[test]
    fn a_text_stays_text_wherever_it_is() {
        let (plain, hostile) = (page("text").to_html(), page(HOSTILE).to_html());
        assert!(!hostile.contains("<script>alert"));
        // No tag and no attribute more than with a text that means nothing.
        for sign in ["<", ">", " id=\""] {
            assert_eq!(hostile.matches(sign).count(), plain.matches(sign).count(), "{sign}");
        }
        // In title and heading, answer, warning, contents, and all blocks of both sections.
        assert!(hostile.matches("url(#a)").count() > 30);
    }

    #[test]
    fn control_characters_become_signs() {
        let html = page("a\u{0}b\u{1b}[31m\r").to_html();
        assert!(html.contains("a\u{fffd}b\u{fffd}[31m\u{fffd}"));
        assert!(html.chars().all(|c| !c.is_control() || c == '\n'));
    }

    #[test]
    fn every_id_is_there_once_and_every_reference_leads_to_one() {
        let html = page("text").to_html();
        let ids = attributes(&html, "id");
        let unique: BTreeSet<_> = ids.iter().collect();
        assert!(ids.len() >= 6 && unique.len() == ids.len(), "{ids:?}");
        let references = ["href", "for", "aria-labelledby", "data-figure"];
        for reference in references.iter().flat_map(|name| attributes(&html, name)) {
            let id = reference.trim_start_matches('#');
            assert!(unique.contains(&id), "{reference} leads nowhere");
        }
    }

    #[test]
    fn nothing_is_loaded_from_anywhere() {
        let html = page("text").to_html();
        assert!(!html.contains("://") && !html.contains("@import"));
        assert!(attributes(&html, "src").is_empty());
        assert!(attributes(&html, "href").iter().all(|target| target.starts_with('#')));
        assert!(html.contains("content=\"default-src 'none'; "));
    }

    #[test]
    fn every_picture_says_what_it_shows_and_the_page_its_language_and_width() {
        let html = page("text").to_html();
        let pictures: Vec<&str> = html.split("<svg ").skip(1).collect();
        let silent = |svg: &&&str| svg.starts_with("aria-hidden=\"true\"");
        assert_eq!(pictures.iter().filter(|svg| !silent(svg)).count(), 4);
        for svg in pictures.iter().filter(|svg| !silent(svg)) {
            assert!(svg.starts_with("role=\"img\" aria-label=\"text\" "), "{}", &svg[..80]);
        }
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        assert!(html.contains("name=\"viewport\" content=\"width=device-width, initial-scale=1\""));
    }

    #[test]
    fn each_curve_has_a_box_that_is_checked_and_hidden_without_the_script() {
        let html = page("text").to_html();
        let boxes: Vec<&str> = html.split("<input ").skip(1).collect();
        assert_eq!(boxes.len(), 8);
        assert!(boxes.iter().all(|b| b.starts_with("type=\"checkbox\" checked hidden ")));
        for series in ["0", "1"] {
            // Its group in the picture, and its box: twice in each of two sections.
            let name = format!("data-series=\"{series}\"");
            assert_eq!(html.matches(&name).count(), 8);
        }
    }
}
