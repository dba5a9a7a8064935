//! What the networks of the best variant make of images: feature maps, and reconstructions.

use burn::tensor::{Tensor, activation};
use selvedge_data::{BatchLoader, View};
use selvedge_models::Network;
use selvedge_report::html::{Block, Figure, Section};
use selvedge_report::plot::{
    FeatureMaps, ImageRows, LayerMaps, Picture, SheetImage, first_of_each_class,
};
use selvedge_train::PixelLoss;

use super::super::kept::Kept;
use super::figures::{capital, is_complete};
use super::{Report, VariantResults, text};
use crate::StudyError;
use crate::config::TaskConfig;
use crate::trial::Plan;

/// Classes of which an image is shown.
const CLASSES: usize = 5;
/// Channels of each layer.
const CHANNELS: usize = 6;
/// All layers up to so many are shown; of more the first and the last.
const LAYERS: usize = 4;
/// Images that are shown with their reconstructions.
const IMAGES: usize = 10;

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pictures: Vec<Shown>,
    /// What is not there, and why.
    notes: Vec<String>,
}

/// A figure of the page, and of a file.
#[derive(Debug)]
struct Shown {
    file: &'static str,
    picture: Picture,
    /// Without its title.
    bare: Picture,
    caption: String,
    alternative: String,
}

impl Report<'_> {
    /// Looks into the best variant. Nothing is trained for it, and whatever is missing or damaged is told and no more.
    pub(super) fn look(&self) -> Inside {
        let mut inside = Inside::default();
        let Some((kept, best)) = self.results.kept.as_deref().zip(self.table.best()) else {
            return inside;
        };
        let plans = kept.plans(best.variant);
        inside.of_best(kept, plans, &self.results.variants[best.variant]);
        inside
    }
}

impl Inside {
    /// The section of the page; empty for a network that has nothing to show.
    pub fn section(&self) -> Section {
        let section = Section::new("Inside the best network");
        let section = self.pictures.iter().fold(section, |section, shown| {
            let Shown { bare, caption, alternative, .. } = shown;
            section.with(Figure::new(bare, caption, alternative))
        });
        self.notes.iter().fold(section, |section, note| section.with(Block::Note(note.clone())))
    }

    /// The pictures, each with the name of its files.
    pub fn into_pictures(self) -> impl Iterator<Item = (&'static str, Picture)> {
        self.pictures.into_iter().map(|shown| (shown.file, shown.picture))
    }

    fn of_best(&mut self, kept: &Kept, plans: &[Plan], results: &VariantResults) {
        let complete = |at: usize| {
            let trial = results.trials.get(at).and_then(Option::as_ref);
            trial.is_some_and(|trial| is_complete(trial) && trial.best_epoch > 0)
        };
        let plans = plans.iter().enumerate().filter(|(at, _)| complete(*at));
        let plans: Vec<&Plan> = plans.map(|(_, plan)| plan).collect();
        let Some(&first) = plans.first() else { return };
        // The first seed whose model was kept.
        let found = plans.iter().map(|&plan| (plan, kept.model(plan)));
        let found = found.into_iter().find(|(_, model)| !matches!(model, Ok(None)));
        let (plan, model) = found.unwrap_or((first, Ok(None)));
        let name = format!("variant {}, seed {}", results.variant.name, plan.seed);
        if has_maps(plan) || plan.config.task.is_reconstruct() {
            match model {
                Ok(Some(network)) => self.add(&network, plan, kept, &name),
                Ok(None) => self.notes.push(
                    "The models of the best variant were not kept. The same command with --keep-models trains those \
                     trials again that have none, and shows here what the layers make of images."
                        .into(),
                ),
                Err(error) => self.notes.push(unread(&name, &error)),
            }
        }
        // What the best began with, if that is an autoencoder.
        let mut before = if plan.config.task.is_reconstruct() { None } else { plan.before() };
        while let Some(plan) = before {
            if plan.config.task.is_reconstruct() {
                let name = format!("the pre-training of {name}");
                match kept.model(plan) {
                    Ok(Some(network)) => {
                        let made = reconstructions(&network, plan, kept, &name);
                        self.push(made, &name);
                    }
                    // It is there as long as others begin with it.
                    Ok(None) => {}
                    Err(error) => self.notes.push(unread(&name, &error)),
                }
                break;
            }
            before = plan.before();
        }
    }

    fn add(&mut self, network: &Network, plan: &Plan, kept: &Kept, name: &str) {
        if has_maps(plan) {
            self.push(feature_maps(network, plan, kept, name), name);
        }
        if plan.config.task.is_reconstruct() {
            self.push(reconstructions(network, plan, kept, name), name);
        }
    }

    fn push(&mut self, shown: Result<Shown, StudyError>, name: &str) {
        match shown {
            Ok(shown) => self.pictures.push(shown),
            Err(error) => {
                let error = crate::config::printable(&error.to_string());
                self.notes.push(format!("What {name} sees cannot be shown: {error}."));
            }
        }
    }
}

fn unread(name: &str, error: &str) -> String {
    format!(
        "The model of {name} {error}. The same command with --keep-models makes it again, and shows \
         it here."
    )
}

fn has_maps(plan: &Plan) -> bool {
    !plan.network.convolutions().is_empty()
}

/// The images that are shown: of the test, or of the validation where there is no test.
fn shown_images(plan: &Plan) -> (&View, &'static str) {
    let split = &plan.data.split;
    match &split.test {
        Some(test) => (test, "test"),
        None => (&split.validation, "validation"),
    }
}

/// The maps behind the convolutions, for an image of each class.
fn feature_maps(
    network: &Network,
    plan: &Plan,
    kept: &Kept,
    name: &str,
) -> Result<Shown, StudyError> {
    let (all, part) = shown_images(plan);
    let mut first = first_of_each_class(all, 1);
    first.truncate(CLASSES);
    let view = all.take(&first)?;
    let normalization = plan.config.normalization.normalization(&plan.train_images()?);
    let images = view.batch(&normalization, kept.device())?.images;
    let mut layers = plan.network.convolutions();
    let count = layers.len();
    if count > LAYERS {
        layers.drain(1..count - 1);
    }
    let (convolutions, paths): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
    let found = network.feature_maps(&paths, images)?;
    let layers = convolutions.iter().zip(found).map(|(convolution, (path, maps))| {
        let name = match *convolution == path {
            true => path,
            false => format!("{convolution}, after {path}"),
        };
        LayerMaps::new(name, maps)
    });
    let images = SheetImage::all(&view);
    let maps = FeatureMaps { images, layers: layers.collect(), channels: CHANNELS };
    let of = match count {
        1 => "its convolution makes".to_owned(),
        2..=LAYERS => format!("its {count} convolutions make"),
        _ => format!("the first and the last of its {count} convolutions make"),
    };
    let classes: Vec<String> = maps.images.iter().map(|image| image.caption[0].clone()).collect();
    let name = capital(name);
    let which = match all.num_classes() > CLASSES {
        true => format!("the first {CLASSES} classes"),
        false => "each class".into(),
    };
    let caption = format!(
        "{name}: what {of} of the first {part} image of {which}. At most {CHANNELS} channels a layer are shown; each \
         layer has one scale, so that its maps can be compared."
    );
    let alternative = format!(
        "Feature maps of {} for images of {}.",
        text::listed(&convolutions),
        text::listed(&classes)
    );
    let title = format!("What do the layers see? {name}");
    let below = format!("First {part} image of each class. Each layer has one scale.");
    Ok(Shown {
        file: "feature_maps",
        picture: maps.picture(&title, Some(&below))?,
        bare: maps.picture("", None)?,
        caption,
        alternative,
    })
}

/// Originals over what an autoencoder makes of them; between them what it was given, if that has noise.
fn reconstructions(
    network: &Network,
    plan: &Plan,
    kept: &Kept,
    name: &str,
) -> Result<Shown, StudyError> {
    let (all, part) = shown_images(plan);
    let classes = all.class_counts().iter().filter(|count| **count > 0).count().max(1);
    let mut some = first_of_each_class(all, (IMAGES / classes).max(1));
    some.truncate(IMAGES);
    let view = all.take(&some)?;
    let normalization = plan.config.normalization.normalization(&plan.train_images()?);
    let size = view.len().max(1);
    let loader = BatchLoader::new(view.clone(), size, &normalization, kept.device())?;
    let loader = match plan.config.input_noise {
        Some(amount) => loader.with_input_noise(amount)?,
        None => loader,
    };
    let batch = loader.epoch(0).next().expect("a loader has a batch")?;
    let mut made = network.reconstruct(batch.images.clone());
    if let TaskConfig::Reconstruct { loss: PixelLoss::BinaryCrossEntropyWithLogits } =
        plan.config.task
    {
        made = activation::sigmoid(made);
    }
    // Back to values of 0 to 1.
    let [channels, height, width] = view.shape();
    let of = |values: &[f32], channel: usize| values[channel.min(values.len() - 1)];
    let unit = |images: Tensor<4>| -> Vec<f32> {
        let values = images.into_data();
        let values = values.iter::<f32>().enumerate().map(|(i, value)| {
            let channel = i / (height * width) % channels;
            value * of(&normalization.std, channel) + of(&normalization.mean, channel)
        });
        values.collect()
    };
    let (given, made) = (unit(batch.images), unit(made));
    let rows = ImageRows { across: IMAGES, ..ImageRows::of(&view) };
    let (rows, noise) = match plan.config.input_noise {
        Some(_) => {
            (rows.with("with noise", &given), " with noise, as the network gets them, below,")
        }
        None => (rows, ""),
    };
    let rows = rows.with("reconstructed", &made);
    let name = capital(name);
    let caption = format!(
        "{name}: {} at the top,{noise} and at the bottom what the network makes of them.",
        text::count(view.len(), &format!("{part} image"))
    );
    let alternative = format!("Images and their reconstructions: {}.", text::listed(&rows.labels));
    let title = format!("What is kept of images that were not learned? {name}");
    Ok(Shown {
        file: "reconstructions",
        picture: rows.picture(&title, None)?,
        // Narrow enough for a telephone.
        bare: ImageRows { across: IMAGES / 2, ..rows }.picture("", None)?,
        caption,
        alternative,
    })
}

#[cfg(test)]
mod tests;
