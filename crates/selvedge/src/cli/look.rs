use std::str::FromStr;

use selvedge_models::Bundle;
use selvedge_report::looking::{Look, LookError, LookedAt, class_of};

/// What is asked of a classifier that is looked into.
#[derive(Clone, Debug, clap::Args)]
pub struct LookArgs {
    /// The class that is explained, by its name or number [default: the one that is predicted]
    #[arg(long)]
    pub class: Option<String>,
    /// The layer of Grad-CAM [default: the last one with maps]
    #[arg(long)]
    pub layer: Option<String>,
    /// The layers whose maps are drawn, separated by commas [default: behind up to six convolutions]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    pub maps: Vec<String>,
    /// How many channels of each of these layers are drawn: a number, or `all`
    #[arg(long, default_value = "8", value_name = "NUMBER")]
    pub channels: MapChannels,
    /// With images that excite the classes
    #[arg(long)]
    pub excite: bool,
    /// The same, each class, and the filter of `--filter`, from the first image instead of from noise
    #[arg(long)]
    pub excite_from_image: bool,
    /// With an image that excites a filter, and what the filter of that number makes of the first image in every layer
    #[arg(long, value_name = "LAYER:NUMBER")]
    pub filter: Option<String>,
    /// With images changed by FGSM and PGD, each pixel by at most this share of its range: above 0, at most 1
    #[arg(long, value_name = "EPSILON")]
    pub attack: Option<f64>,
}

impl LookArgs {
    /// The question about these images.
    ///
    /// # Errors
    ///
    /// [`LookError::Model`] for a class that the bundle does not have, a filter that is not a layer and a number, and a
    /// change that is not above 0 and at most 1.
    pub fn look<'a>(
        &self,
        bundle: &'a Bundle,
        images: Vec<LookedAt>,
    ) -> Result<Look<'a>, LookError> {
        let class = self.class.as_deref().map(|class| class_of(bundle, class)).transpose()?;
        let look = Look::new(bundle, images).with_class(class).with_layer(self.layer.clone());
        let look = look.with_maps(self.maps.clone()).with_channels(self.channels.0);
        let look = look.with_excitation(self.excite || self.excite_from_image);
        let look = look.with_excitation_from_image(self.excite_from_image);
        look.with_filter(self.filter.as_deref())?.with_attack(self.attack)
    }
}

/// How many channels of a layer are drawn: `None` is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapChannels(pub Option<usize>);

impl FromStr for MapChannels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u16>()) {
            ("all", _) => Ok(Self(None)),
            (_, Ok(count)) if count > 0 => Ok(Self(Some(count.into()))),
            _ => Err(format!("expected 1 to {}, or `all`", u16::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_a_number_from_one_on_or_all() {
        assert_eq!("all".parse(), Ok(MapChannels(None)));
        assert_eq!("64".parse(), Ok(MapChannels(Some(64))));
        for text in ["0", "-1", "", "8.5", "All"] {
            assert!(text.parse::<MapChannels>().is_err(), "{text}");
        }
    }
}
