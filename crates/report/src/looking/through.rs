//! One filter through all convolutions.

use burn::tensor::Tensor;
use selvedge_models::explain::filter_through_layers;
use selvedge_models::{ModelError, Network};

use crate::plot::{Picture, PlotError, SheetImage, grid, pixels};

/// Convolutions that are drawn.
const MOST: usize = 70;
/// Maps side by side, at least and at most: a few maps do not become larger than a quarter of the row.
const ACROSS: [usize; 2] = [4, 7];
/// Characters below one of them, and of those at least so many for the end of a path.
const ROOM: usize = 14;
const LEAST_END: usize = 5;

/// The maps of the filter of one number, layer by layer.
#[derive(Debug)]
pub(super) struct Through {
    filter: usize,
    maps: Vec<Map>,
    /// The layers that have the filter, drawn or not.
    layers: usize,
}

#[derive(Debug)]
struct Map {
    /// The convolution, as short as it can be.
    layer: String,
    /// `[1, rows, columns]`.
    shape: [usize; 3],
    pixels: Vec<u8>,
}

impl Through {
    /// Of one image, `[1, channels, height, width]`.
    pub fn of(network: &Network, image: Tensor<4>, filter: usize) -> Result<Self, ModelError> {
        let maps = filter_through_layers(network, image, filter)?;
        let layers = maps.len();
        let maps = super::spread(maps, MOST);
        // A convolution tells where it stands; the activation behind it may stand for several parts of a block.
        let convolutions = network.architecture().convolutions();
        let behind = |shown: &str| convolutions.iter().find(|(_, behind)| behind == shown);
        let names = maps.iter().map(|(shown, _)| behind(shown).map_or(shown.as_str(), |c| &c.0));
        let labels = labels(&names.collect::<Vec<_>>());
        let maps = maps.into_iter().zip(labels).map(|((_, map), layer)| {
            let [_, _, rows, columns] = map.dims();
            // Filters of one number in two layers have nothing to do with each other: each map has its own scale.
            let (least, most) = (map.clone().min(), map.clone().max());
            let range = (most - least.clone()).clamp_min(f32::MIN_POSITIVE).reshape([1, 1, 1, 1]);
            let pixels = pixels((map - least.reshape([1, 1, 1, 1])) / range);
            Map { layer, shape: [1, rows, columns], pixels }
        });
        Ok(Self { filter, maps: maps.collect(), layers })
    }

    /// The maps, in the order in which the image passes them.
    pub fn picture(&self, image: &str) -> Result<Picture, PlotError> {
        let maps = self.maps.iter().map(|map| {
            let [_, rows, columns] = map.shape;
            let caption = vec![map.layer.clone(), format!("{rows} × {columns}")];
            SheetImage { pixels: &map.pixels, shape: map.shape, caption }
        });
        let maps: Vec<_> = maps.collect();
        let title = format!("What becomes of {image} in filter {} of every layer?", self.filter);
        let shown = match maps.len() < self.layers {
            true => format!("; {} of {} layers", maps.len(), self.layers),
            false => String::new(),
        };
        let subtitle =
            format!("behind each convolution, from its least value to its largest{shown}");
        let [fewest, most] = ACROSS;
        grid(&title, Some(&subtitle), maps.len().clamp(fewest, most), &maps)
    }
}

/// Names of layers that there is room for, and of which no two are the same. What all of them have in common is left
/// out, first the part that the paths of blocks begin with, then the word that they end with: `3.project` of
/// `_blocks.3._project_conv`. What is still too long keeps its block and its end.
fn labels(paths: &[&str]) -> Vec<String> {
    let part = |part: &str| part.trim_matches('_').to_owned();
    let mut names: Vec<Vec<String>> =
        paths.iter().map(|path| path.split('.').map(part).collect()).collect();
    // Those within blocks; what stands beside the blocks has names of its own.
    let common = |of: &dyn Fn(&[String]) -> String, names: &[Vec<String>]| {
        let mut found = names.iter().filter(|name| name.len() > 1).map(|name| of(name));
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    };
    while names.iter().any(|name| name.len() > 2)
        && names.iter().filter(|name| name.len() > 1).count() > 1
        && common(&|name| name[0].clone(), &names).is_some()
    {
        names.iter_mut().filter(|name| name.len() > 1).for_each(|name| drop(name.remove(0)));
    }
    let long = |name: &Vec<String>| name.join(".").chars().count() > ROOM;
    if names.iter().any(long) {
        let end = |name: &[String]| {
            name.last().and_then(|last| last.rsplit_once('_')).map_or("", |(_, end)| end).to_owned()
        };
        if let Some(end) = common(&end, &names).filter(|end| !end.is_empty()) {
            for last in names.iter_mut().filter(|name| name.len() > 1).filter_map(|n| n.last_mut())
            {
                last.truncate(last.len() - end.len() - 1);
            }
        }
    }
    let labels: Vec<String> = names.iter().map(|name| fitted(name)).collect();
    let mut seen = std::collections::BTreeSet::new();
    match labels.iter().all(|label| seen.insert(label)) {
        true => labels,
        // Whatever they are called, their order tells them apart.
        false => {
            (1..).zip(&labels).map(|(i, name)| fitted(&[i.to_string(), name.clone()])).collect()
        }
    }
}

/// A path, or what there is room for: its block, which ends with the last of its numbers, and the end of the rest.
fn fitted(name: &[String]) -> String {
    let whole = name.join(".");
    if whole.chars().count() <= ROOM {
        return whole;
    }
    let is_number = |part: &String| part.parse::<usize>().is_ok();
    let before = &name[..name.len() - 1];
    let block = before.iter().rposition(is_number).map_or(0, |last| last + 1);
    let mut start: String = name[..block].join(".");
    start =
        start.chars().skip(start.chars().count().saturating_sub(ROOM - 1 - LEAST_END)).collect();
    let left = ROOM - 1 - start.chars().count();
    let rest: Vec<char> = name[block..].join(".").chars().collect();
    let end: String = rest[rest.len().saturating_sub(left)..].iter().collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use selvedge_models::EfficientNetLite;

    use super::*;

    #[test]
    fn labels_keep_the_block_and_leave_out_what_all_have_in_common() {
        let deep = [
            "_conv_stem",
            "_blocks.0._depthwise_conv",
            "_blocks.0._project_conv",
            "_blocks.10._expand_conv",
            "_blocks.10._project_conv",
            "_conv_head",
        ];
        let short =
            ["conv_stem", "0.depthwise", "0.project", "10.expand", "10.project", "conv_head"];
        assert_eq!(labels(&deep), short);
        let plain = ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1"];
        assert_eq!(labels(&plain), plain);
        let nested = ["features.0.0", "features.1.conv.0.0", "features.18.conv.1"];
        assert_eq!(labels(&nested), ["0.0", "1.conv.0.0", "18.conv.1"]);
        assert_eq!(labels(&["conv1"]), ["conv1"]);
        assert_eq!(labels(&["a.b.conv1"]), ["a.b.conv1"]);
    }

    #[test]
    fn a_label_that_is_still_too_long_has_its_block_and_its_end() {
        let found = labels(&["layer1.0.downsample.0", "layer1.0.conv1", "layer10.11.downsample.0"]);
        assert_eq!(found, ["layer1.0…ple.0", "layer1.0.conv1", "yer10.11…ple.0"]);
    }

    #[test]
    fn labels_of_any_names_are_short_and_distinct() {
        let alike: Vec<String> =
            (0..12).map(|i| format!("a_long_word_{i}_and_the_same_end")).collect();
        let alike: Vec<&str> = alike.iter().map(String::as_str).collect();
        let network = EfficientNetLite::lite0(3).architecture().unwrap();
        let convolutions = network.convolutions();
        let convolutions: Vec<&str> = convolutions.iter().map(|(path, _)| path.as_str()).collect();
        for paths in [alike, convolutions] {
            let found = labels(&paths);
            assert!(found.iter().all(|label| label.chars().count() <= ROOM), "{found:?}");
            let distinct: std::collections::BTreeSet<_> = found.iter().collect();
            assert_eq!(distinct.len(), paths.len(), "{found:?}");
        }
    }
}
