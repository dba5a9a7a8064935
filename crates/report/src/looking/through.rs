//! One filter through all convolutions.

use burn::tensor::Tensor;
use selvedge_models::explain::filter_through_layers;
use selvedge_models::{ModelError, Network};

use crate::plot::{Picture, PlotError, SheetImage, grid, pixels};

/// Convolutions that are drawn.
const MOST: usize = 70;
/// Maps side by side, at least and at most: a few maps do not become larger than a quarter of the row.
const ACROSS: [usize; 2] = [4, 7];
/// Characters below one of them.
const ROOM: usize = 14;

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
        let maps = super::spread(maps, MOST).into_iter().map(|(layer, map)| {
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
            let caption = vec![tail(&map.layer), format!("{rows} × {columns}")];
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

/// A path, or its last parts, or what there is room for of its last two: layers of many blocks differ in the part before the
/// last.
fn tail(path: &str) -> String {
    if path.chars().count() <= ROOM {
        return path.into();
    }
    let mut parts: Vec<&str> = path.rsplit('.').take(2).collect();
    parts.reverse();
    let last = parts.join(".");
    match last.chars().count() < ROOM {
        true => format!("…{last}"),
        false => ['…'].into_iter().chain(last.chars().take(ROOM - 2)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_path_the_end_is_told() {
        assert_eq!(tail("layer1.relu"), "layer1.relu");
        assert_eq!(tail("_blocks.10.relu6_2"), "…10.relu6_2");
        assert_eq!(tail("_blocks.1._project_conv"), "…1._project_c…");
        assert_eq!(tail("a.b.convolutional_layer_1"), "…b.convolutio…");
    }
}
