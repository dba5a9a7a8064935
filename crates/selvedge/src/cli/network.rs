//! Arguments for the network, and for the weights that it takes.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use selvedge_models::weights::{
    self, FloatType, InputChannels, LoadOptions, ReadOptions, Rename, WeightFile, WeightType,
};
use selvedge_models::{Architecture, ModelError, Network, named};

use super::printable;

/// Which network: one of the catalog, or one of the user's.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NetworkArgs {
    /// The network, by its name in the catalog: cnn2_small, mlp_relu, resnet18, vgg16, …; `inspect_weights`
    /// lists all
    #[arg(long, alias = "network", value_name = "NAME", conflicts_with = "architecture")]
    pub model: Option<String>,
    /// The network, as a file describes it: JSON, as selvedge writes architectures
    #[arg(long, value_name = "NET.json")]
    pub architecture: Option<PathBuf>,
}

impl NetworkArgs {
    /// The network that was asked for, if one was.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for a name that is not in the catalog; as [`Architecture::read`] for a file.
    pub fn network(&self) -> Result<Option<Architecture>, ModelError> {
        match (&self.model, &self.architecture) {
            (_, Some(path)) => Architecture::read(path).map(Some),
            (Some(name), None) => named(name).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The network that was asked for, or else the one of the catalog that is called `usual`.
    ///
    /// # Errors
    ///
    /// As [`network`](Self::network).
    pub fn network_or(&self, usual: &str) -> Result<Architecture, ModelError> {
        self.network()?.map_or_else(|| named(usual), Ok)
    }
}

/// How a file of weights is read, and how a network takes it.
///
/// A program that takes them has an argument in the group `trained`, the weights that they are about: without those
/// they are refused.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WeightArgs {
    /// The key under which a checkpoint keeps the weights that are meant, such as model_ema, or what stands
    /// before their names
    #[arg(long, value_name = "KEY", requires = "trained", value_parser = NonEmptyStringValueParser::new())]
    pub key: Option<String>,
    /// Names of the file that begin with OLD begin with NEW; a * stands for any text between two dots; can be
    /// given several times
    #[arg(long, value_name = "OLD=NEW", requires = "trained")]
    pub rename: Vec<Rename>,
    /// Take what fits, and say what does not
    #[arg(long, requires = "trained")]
    pub partial: bool,
    /// What becomes of weights for color images where images are grey, or the other way round
    #[arg(long, value_name = "HOW", requires = "trained")]
    pub input_channels: Option<Channels>,
}

/// What becomes of a first convolution for images of other channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Channels {
    /// The sum over the channels; for several the weights of one divided by their number
    Sum,
    /// The mean over the channels; for several the weights of one
    Mean,
}

impl WeightArgs {
    /// Opens a file of weights; its tensors have the names that were asked for.
    ///
    /// # Errors
    ///
    /// As [`inspect_with`](weights::inspect_with) and [`WeightFile::renamed`].
    pub fn open(&self, path: &Path) -> Result<WeightFile<'static>, ModelError> {
        let file = weights::inspect_with(path, &self.read_options())?;
        match self.rename.is_empty() {
            true => Ok(file),
            false => file.renamed(&self.rename),
        }
    }

    /// How a network takes a file that [`open`](Self::open) opened: its names are changed already.
    pub fn options(&self, seed: u64) -> LoadOptions {
        LoadOptions { rename: Vec::new(), ..self.load_options(seed) }
    }

    /// How a network takes a file that has not been opened.
    pub fn load_options(&self, seed: u64) -> LoadOptions {
        let input_channels = match self.input_channels {
            None => InputChannels::Refuse,
            Some(Channels::Sum) => InputChannels::Sum,
            Some(Channels::Mean) => InputChannels::Mean,
        };
        LoadOptions {
            read: self.read_options(),
            rename: self.rename.clone(),
            partial: self.partial,
            input_channels,
            seed,
        }
    }

    fn read_options(&self) -> ReadOptions {
        ReadOptions { key: self.key.clone(), ..ReadOptions::default() }
    }
}

/// Reads all values of a file and says in one line, which ends in a line break, which tensors hold some that no network
/// takes: NaN, or infinite as f32. Nothing if all are finite.
///
/// # Errors
///
/// As [`WeightFile::non_finite`].
pub fn non_finite(file: &WeightFile<'_>) -> Result<String, ModelError> {
    let found = file.non_finite()?;
    if found.is_empty() {
        return Ok(String::new());
    }
    let listed = found.iter().take(3).map(|(name, count)| format!("{} ({count})", printable(name)));
    let mut listed = listed.collect::<Vec<_>>();
    if let more @ 1.. = found.len() - listed.len() {
        listed.push(format!("{more} more tensors"));
    }
    Ok(format!(
        "no network takes it: values that are NaN or infinite as f32 in {}\n",
        listed.join(", ")
    ))
}

/// The format of a file of weights that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// Burn's own.
    Burnpack,
    /// safetensors.
    Safetensors,
}

impl WeightFormat {
    /// What the ending of `out` asks for, whatever the case of its letters.
    ///
    /// # Errors
    ///
    /// If it asks for another format, if `out` is `file` itself, or if the format is written as f32 alone.
    pub fn of(
        out: &Path,
        file: &WeightFile<'_>,
        weight_type: Option<WeightType>,
    ) -> Result<Self, Box<dyn Error>> {
        let path = out.display();
        if file.is_at(out) {
            return Err(format!("{path} is the file itself; convert it to another").into());
        }
        let is = |extension| out.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        match () {
            () if is("bpk") && weight_type.unwrap_or_default() != WeightType::default() => {
                Err(format!("{path}: burnpack is written as f32; take .safetensors").into())
            }
            () if is("bpk") => Ok(Self::Burnpack),
            () if is("safetensors") => Ok(Self::Safetensors),
            () => Err(format!("{path}: the name must end in .safetensors or .bpk").into()),
        }
    }

    /// Writes the weights of a network to `out`; safetensors as `weight_type` or else f32, burnpack as f32.
    ///
    /// # Errors
    ///
    /// As [`Network::save_burnpack`] and [`Network::save_safetensors_as`].
    pub fn save_network(
        self,
        network: &Network,
        out: &Path,
        weight_type: Option<WeightType>,
    ) -> Result<(), ModelError> {
        match self {
            Self::Burnpack => network.save_burnpack(out),
            Self::Safetensors => network.save_safetensors_as(out, weight_type.unwrap_or_default()),
        }
    }

    /// Writes all tensors of a file to `out` under their names; floats as `weight_type`, or as they are.
    ///
    /// # Errors
    ///
    /// As [`WeightFile::save_burnpack`] and [`WeightFile::save_safetensors`].
    pub fn save_file(
        self,
        file: &WeightFile<'_>,
        out: &Path,
        weight_type: Option<WeightType>,
    ) -> Result<(), ModelError> {
        match self {
            // Asked for is f32, or nothing.
            Self::Burnpack => file.save_burnpack(out, weight_type.map(|_| FloatType::F32)),
            Self::Safetensors => file.save_safetensors(out, weight_type),
        }
    }
}
