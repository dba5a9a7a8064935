use selvedge_train::Robustness;

use super::drawn::MOST_WITH_MAPS;
use super::names::short;
use super::{LookError, Seen};
use crate::html::{Block, Cell, Figure, Page, Row, Section, Table};
use crate::plot::{MeanCurves, Picture, robustness_curves};

/// Classes of an image that are told.
const TOLD: usize = 3;

impl Seen<'_> {
    /// A page that needs no other file: predictions, the contact sheet, maps, filters and whatever else was computed.
    /// `command` is what it was made by.
    ///
    /// # Errors
    ///
    /// As [`sheet`](Self::sheet).
    pub fn page(&self, command: &str) -> Result<Page, LookError> {
        let name = &self.bundle.network().architecture().name;
        let images = match self.images.len() {
            1 => "an image".to_owned(),
            count => format!("{count} images"),
        };
        let answer =
            format!("Which pixels matter, by {} methods, {}.", self.methods.len(), self.asked());
        let mut page = Page::new(format!("What does {name} see in {images}?"), answer);
        page = page.with(Section::new("What it predicts").with(self.predictions_table()));
        page = page.with(self.pixels_section()?);
        if let Some(alike) = &self.alike {
            let alternative =
                "Every image with the nearest images beside it, named by their classes.";
            let nearest = alike.neighbors(&self.shown(), &self.predictions)?;
            let mut section = Section::new("What it takes for alike");
            section = section.with(Figure::new(&nearest, "", alternative));
            let alternative =
                "A map in which images with like features lie close, coloured by class.";
            section = match (alike.tsne()?, alike.note()) {
                (Some(map), _) => section.with(Figure::new(&map, "", alternative)),
                (None, note) => section.with(Block::Note(note.unwrap_or_default().into())),
            };
            if let Some(map) = alike.pca()? {
                let alternative =
                    "The images along the first two principal components, coloured by class.";
                section = section.with(Figure::new(&map, "", alternative));
            }
            page = page.with(section);
        }
        if !self.layers.is_empty() {
            let mut section = Section::new("What its layers make of an image");
            for image in 0..self.images.len().min(MOST_WITH_MAPS) {
                let caption = format!("The maps of {}", self.images[image].name);
                let alternative = format!("{caption}: a row of channels for each layer.");
                section = section.with(Figure::new(&self.maps(image)?, caption, alternative));
            }
            if self.images.len() > MOST_WITH_MAPS {
                let count = self.images.len();
                let note = format!("Of the {count} images the first {MOST_WITH_MAPS} are shown.");
                section = section.with(Block::Note(note));
            }
            page = page.with(section);
        }
        if let Some(through) = &self.through {
            let alternative = "A map for each convolution, from the first to the last.";
            let picture = through.picture(&short(&self.images[0].name))?;
            let section = Section::new("What a filter makes of an image in every layer");
            page = page.with(section.with(Figure::new(&picture, "", alternative)));
        }
        if let Some(picture) = self.filters_picture()? {
            let alternative = "The weights of the first filters as images.";
            let section = Section::new("What its first filters look for");
            page = page.with(section.with(Figure::new(&picture, "", alternative)));
        }
        if let Some(picture) = self.excited_picture()? {
            let alternative =
                "Step by step to an image that excites a class or a filter, a row for each.";
            let section = Section::new("What excites it");
            page = page.with(section.with(Figure::new(&picture, "", alternative)));
        }
        if let Some(picture) = self.misled_picture()? {
            let alternative =
                "Every image as it is, and changed by FGSM and by PGD, with what is predicted.";
            let section = Section::new("What it takes to mislead it");
            page = page.with(section.with(Figure::new(&picture, "", alternative)));
        }
        if let Some((robustness, measured)) = &self.robustness {
            let curves = self::robustness(robustness, measured);
            let alternative = "The accuracy by the strength of each corruption.";
            let figure = Figure::of_curves(&curves, curves.title.clone(), alternative);
            let section = Section::new("What it bears").with(figure);
            page = page.with(section.with(robustness_table(robustness)));
        }
        Ok(page.with(Section::new("How it was made").with(Block::Code(command.into()))))
    }

    /// All pictures of the page that there are, each with a name for its files; see [`PICTURES`](super::PICTURES).
    ///
    /// # Errors
    ///
    /// As [`sheet`](Self::sheet).
    pub fn pictures(&self) -> Result<Vec<(&'static str, Picture)>, LookError> {
        let mut pictures = vec![("sheet", self.sheet()?)];
        if let Some(alike) = &self.alike {
            pictures.push(("neighbors", alike.neighbors(&self.shown(), &self.predictions)?));
            pictures.extend(alike.tsne()?.map(|map| ("tsne", map)));
            pictures.extend(alike.pca()?.map(|map| ("pca", map)));
        }
        if !self.layers.is_empty() {
            pictures.push(("maps", self.maps(0)?));
        }
        if let Some(through) = &self.through {
            pictures.push(("through", through.picture(&short(&self.images[0].name))?));
        }
        pictures.extend(self.filters_picture()?.map(|picture| ("filters", picture)));
        pictures.extend(self.excited_picture()?.map(|picture| ("excited", picture)));
        pictures.extend(self.misled_picture()?.map(|picture| ("misled", picture)));
        let curves = self.robustness.as_ref();
        let curves = curves.map(|(table, measured)| robustness(table, measured).picture());
        pictures.extend(curves.map(|picture| ("robustness", picture)));
        Ok(pictures)
    }

    fn predictions_table(&self) -> Table {
        let columns = ["image".to_owned()].into_iter().chain((1..=self.told()).flat_map(|k| {
            let class = if k == 1 { "class".to_owned() } else { format!("class {k}") };
            [class, "probability".to_owned()]
        }));
        let mut table = Table::new("The most probable classes", columns);
        for (image, prediction) in self.images.iter().zip(&self.predictions) {
            let probabilities = &prediction.probabilities;
            let mut order: Vec<usize> = (0..probabilities.len()).collect();
            order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
            let cells = order.iter().take(self.told()).flat_map(|class| {
                let name = self.bundle.classes()[*class].clone();
                [Cell::text(name), Cell::share(f64::from(probabilities[*class]))]
            });
            let row: Vec<Cell> =
                [Cell::text(image.name.clone())].into_iter().chain(cells).collect();
            table.rows.push(Row::from(row));
        }
        table
    }

    fn told(&self) -> usize {
        self.bundle.classes().len().min(TOLD)
    }

    fn pixels_section(&self) -> Result<Section, LookError> {
        let names: Vec<&str> = self.methods.iter().map(|method| method.name.as_str()).collect();
        let alternative =
            format!("The images, and over each the pixels that matter by {}.", names.join(", "));
        let mut section = Section::new("Which pixels matter").with(Figure::new(
            &self.sheet()?,
            "Every map is drawn relative to its own largest value. Saliency and SmoothGrad have no sign.",
            alternative,
        ));
        // Why there is no t-SNE map stands where the map would.
        let elsewhere = self.alike.as_ref().and_then(|alike| alike.note());
        let notes = self.notes.iter().map(String::as_str).filter(|note| Some(*note) != elsewhere);
        let notes: Vec<&str> = notes.collect();
        if !notes.is_empty() {
            section = section.with(Block::Note(notes.join(". ")));
        }
        Ok(section)
    }
}

/// The curves, with what was measured and what happens at the greatest strength in their title.
pub(super) fn robustness(table: &Robustness, measured: &str) -> MeanCurves {
    let last = table.rows.chunk_by(|a, b| a.corruption == b.corruption).filter_map(<[_]>::last);
    let last: Vec<String> = last
        .map(|row| format!("{} {:.1} %", row.corruption.name(), 100.0 * row.accuracy))
        .collect();
    let title = format!(
        "What does it bear? Of {measured} {:.1} % are right as they are; at the greatest strength: {}",
        100.0 * table.clean,
        last.join(", ")
    );
    robustness_curves(&title, std::slice::from_ref(table))
}

fn robustness_table(table: &Robustness) -> Table {
    let columns = ["corruption", "what its strength is", "strength", "accuracy"];
    let mut result = Table::new("Accuracy on corrupted images", columns);
    for row in &table.rows {
        result.rows.push(Row::from([
            Cell::text(row.corruption.name()),
            Cell::text(row.corruption.unit()),
            Cell::number(row.strength, if row.strength < 5.0 { 2 } else { 0 }),
            Cell::share(row.accuracy),
        ]));
    }
    result
}
