//! The tensors of a file on their way into a network.

use std::collections::HashMap;

use burn::tensor::{Device, TensorData};

use super::channels::{Conversion, input_layer};
use super::file::WeightFile;
use super::load_options::{InputChannels, LoadOptions};
use super::matching::Matched;
use super::names::Names;
use super::parameters;
use super::report::LoadReport;
use super::spec::{Convention, Spec, specs};
use super::stored::{Stored, non_finite};
use crate::network::path::transposed;
use crate::{Architecture, Initialization, ModelError, Network};

/// What is to be done with each tensor of a network.
struct Plan<'f> {
    /// The tensors of the network.
    specs: Vec<Spec>,
    /// Where the values of a tensor are, by its name in the network.
    taken: HashMap<String, Taken<'f>>,
    report: LoadReport,
}

/// A tensor of a file for one of a network.
struct Taken<'f> {
    stored: &'f Stored,
    /// In the file's layout.
    shape: Vec<usize>,
    conversion: Option<Conversion>,
}

impl WeightFile<'_> {
    /// Replaces the weights of `network` by those of the file, converted to f32. Names of other sources and
    /// what wrappers put into names are understood, as the [module](super) says.
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] with all that is missing, unexpected or of another shape if the file
    /// belongs to another network; [`ModelError::File`] if values are not floats, are NaN or infinite where
    /// [`ReadOptions`](super::ReadOptions) does not allow it, or cannot be read.
    pub fn load_into(&self, network: Network) -> Result<Network, ModelError> {
        Ok(self.load_with(network, &LoadOptions::default())?.0)
    }

    /// Replaces those weights of `network` that the file has under their names and in their shapes, and says
    /// which. The others stay as they are.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Initialization, TransferCnn, weights};
    ///
    /// let init = |classes, seed| {
    ///     TransferCnn::new(classes).architecture().init(Initialization::PyTorch, seed, &Device::flex())
    /// };
    /// let bytes = init(10, 0)?.to_safetensors_bytes()?;
    /// let file = weights::inspect_bytes(&bytes)?;
    /// let (network, report) = file.load_partial_into(init(5, 1)?)?;
    /// assert_eq!(report.to_string(), "taken 8: conv1, conv2, fc1, fc2\nof another shape 2: fc3");
    /// # let _ = network;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] if nothing fits; [`ModelError::File`] if values are not floats or cannot be
    /// read.
    pub fn load_partial_into(&self, network: Network) -> Result<(Network, LoadReport), ModelError> {
        self.load_with(network, &LoadOptions { partial: true, ..LoadOptions::default() })
    }

    /// As [`load_into`](Self::load_into), as `options` say; the seed is not needed. Also says what was taken.
    ///
    /// # Errors
    ///
    /// As [`load_into`](Self::load_into) and [`load_partial_into`](Self::load_partial_into), and
    /// [`ModelError::File`] for a rule that no name follows or by which two tensors get one name.
    pub fn load_with(
        &self,
        network: Network,
        options: &LoadOptions,
    ) -> Result<(Network, LoadReport), ModelError> {
        let names = self.names_for(options)?;
        let architecture = network.architecture().clone();
        let plan = self.plan(&architecture, names.as_ref(), options, None)?;
        self.fill(network, plan)
    }

    /// What [`load_with`](Self::load_with) would take, told by names and shapes alone: no values are read.
    ///
    /// # Errors
    ///
    /// As [`load_with`](Self::load_with), but for what only values show, and as [`Architecture::shapes`].
    pub fn preview(
        &self,
        architecture: &Architecture,
        options: &LoadOptions,
    ) -> Result<LoadReport, ModelError> {
        architecture.shapes()?;
        let names = self.names_for(options)?;
        Ok(self.plan(architecture, names.as_ref(), options, None)?.report)
    }

    /// Builds `architecture` on `device` with the weights of the file. A file for another number of classes
    /// gives all but the head, which is drawn from the seed of `options` in PyTorch's way. Also says what was
    /// taken.
    ///
    /// # Errors
    ///
    /// As [`load_with`](Self::load_with), and as [`Architecture::shapes`].
    pub fn network(
        &self,
        architecture: &Architecture,
        options: &LoadOptions,
        device: &Device,
    ) -> Result<(Network, LoadReport), ModelError> {
        architecture.shapes()?;
        let names = self.names_for(options)?;
        // Before anything is drawn.
        let plan = self.plan(architecture, names.as_ref(), options, architecture.head())?;
        self.fill(architecture.init(Initialization::PyTorch, options.seed, device)?, plan)
    }

    /// The names as the rules of `options` make them; `None` if there are no rules.
    fn names_for(&self, options: &LoadOptions) -> Result<Option<Names>, ModelError> {
        if options.rename.is_empty() {
            return Ok(None);
        }
        self.names.renamed(&options.rename).map(Some).map_err(|reason| self.error(reason))
    }

    /// `Ok` if the file holds the tensors of `architecture`, which must be sound, and no others.
    pub(crate) fn check_architecture(&self, architecture: &Architecture) -> Result<(), ModelError> {
        self.plan(architecture, None, &LoadOptions::default(), None).map(drop)
    }

    /// What is to be done, or why it cannot be. A `head` may have another number of outputs in the file.
    fn plan<'f>(
        &'f self,
        architecture: &Architecture,
        names: Option<&Names>,
        options: &LoadOptions,
        head: Option<&str>,
    ) -> Result<Plan<'f>, ModelError> {
        let specs = specs(architecture);
        let Matched { reading, sources, found, differences, left_out } =
            self.matched(names.unwrap_or(&self.names), &specs);
        let (mut taken, mut input_channels) = (HashMap::new(), None);
        let mut other_shapes = Vec::new();
        // Whether nothing is of another shape but a head with another number of outputs.
        let mut others_in_head = true;
        let input =
            input_layer(architecture).filter(|_| options.input_channels != InputChannels::Refuse);
        for (spec, found) in specs.iter().zip(found) {
            let Some(stored) = found else { continue };
            let (shape, expected) =
                (reading.shape(&stored.shape, spec.shape.len()), self.expected(spec));
            let in_layout = spec.other_layout(shape.clone(), self.convention);
            let conversion = (input == Some(spec.layer.as_str()))
                .then(|| Conversion::new(options.input_channels, &in_layout, &spec.shape))
                .flatten();
            if shape != expected && conversion.is_none() {
                let is_head = head.is_some_and(|head| spec.layer == head);
                others_in_head &= is_head && in_layout.get(1..) == spec.shape.get(1..);
                other_shapes.push((spec.name_in(self.convention), expected, shape));
                continue;
            }
            if !stored.dtype.is_float() {
                let reason = format!("{} holds {:?}, not floats", stored.name, stored.dtype);
                return Err(self.error(reason));
            }
            if let Some(conversion) = &conversion {
                input_channels = Some(conversion.told(&spec.name()));
            }
            taken.insert(spec.name(), Taken { stored, shape, conversion });
        }
        let is_whole = differences.missing.is_empty() && differences.unexpected.is_empty();
        let fits = is_whole && others_in_head;
        let is_enough = fits || (options.partial && !taken.is_empty());
        if !is_enough {
            return Err(ModelError::Mismatch {
                path: self.path.clone(),
                architecture: architecture.name.clone(),
                missing: differences.missing,
                unexpected: differences.unexpected,
                shapes: other_shapes,
            });
        }
        let mut names: Vec<String> = taken.keys().cloned().collect();
        names.sort();
        let report = LoadReport {
            sources: sources.into_iter().map(String::from).collect(),
            taken: names,
            missing: differences.missing,
            shapes: other_shapes,
            unexpected: differences.unexpected,
            left_out,
            input_channels,
        };
        Ok(Plan { specs, taken, report })
    }

    fn fill(&self, network: Network, plan: Plan<'_>) -> Result<(Network, LoadReport), ModelError> {
        let Plan { specs, taken, report } = plan;
        let values =
            |spec: &Spec| taken.get(&spec.name()).map(|taken| self.values(spec, taken)).transpose();
        let network =
            parameters::replace(network, &specs, values).map_err(|reason| self.error(reason))?;
        Ok((network, report))
    }

    /// The values of a tensor in Burn's layout, and what optimizers knew the parameter by.
    fn values(&self, spec: &Spec, taken: &Taken<'_>) -> Result<(TensorData, Option<u64>), String> {
        let Taken { stored, shape, conversion } = taken;
        let read = stored.read(&self.input).and_then(|data| {
            self.check_finite(&data)?;
            let (bytes, _, dtype) = data.into_parts();
            let mut data = TensorData::from_bytes(bytes, shape.clone(), dtype);
            if let Some(conversion) = conversion {
                data = conversion.apply(data)?;
                // A sum of finite values can be infinite.
                self.check_finite(&data)?;
            }
            match self.convention {
                Convention::PyTorch if spec.is_transposed() => transposed(data),
                _ => Ok(data),
            }
        });
        Ok((read.map_err(|reason| format!("{}: {reason}", stored.name))?, stored.id))
    }

    /// `Ok` if the values, of f32, are finite or need not be.
    fn check_finite(&self, data: &TensorData) -> Result<(), String> {
        let wrong = if self.allow_non_finite { 0 } else { non_finite(data) };
        match wrong {
            0 => Ok(()),
            _ => Err(format!(
                "{wrong} of {} values are NaN or infinite as f32: its training may have diverged; \
                 `allow_non_finite` of `ReadOptions` takes them",
                data.num_elements()
            )),
        }
    }

    /// The shape of a tensor as the file lays it out.
    pub(super) fn expected(&self, spec: &Spec) -> Vec<usize> {
        spec.shape_in(self.convention)
    }
}
