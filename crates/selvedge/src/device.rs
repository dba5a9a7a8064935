//! A device by its name, among those that were compiled in.

use burn::tensor::Device;

/// The devices that this library knows: name, cargo feature, whether it was compiled in.
const DEVICES: [(&str, bool); 4] = [
    ("flex", cfg!(feature = "flex")),
    ("ndarray", cfg!(feature = "ndarray")),
    ("wgpu", cfg!(feature = "wgpu")),
    ("cuda", cfg!(feature = "cuda")),
];

/// Why a device cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no device of that name.
    #[error("unknown device `{name}`; the devices are auto, flex, ndarray, wgpu and cuda")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// The device exists but was left out of this build.
    #[error(
        "the device `{name}` was not compiled in; build with `--features {name}` (compiled in: {compiled})"
    )]
    NotCompiled {
        /// The name that was asked for.
        name: String,
        /// The devices of this build.
        compiled: String,
    },
    /// The device was compiled in, but this machine cannot run it.
    #[error("the device `{name}` does not work on this machine: {reason}")]
    Unavailable {
        /// The name that was asked for.
        name: String,
        /// What its driver or runtime says.
        reason: String,
    },
}

/// The names of the devices that were compiled in.
pub fn compiled() -> Vec<&'static str> {
    DEVICES.iter().filter(|(_, compiled)| *compiled).map(|(name, _)| *name).collect()
}

/// The names of all devices, of those too that were not compiled in.
///
/// ```
/// assert_eq!(selvedge::device::names(), ["flex", "ndarray", "wgpu", "cuda"]);
/// ```
pub fn names() -> Vec<&'static str> {
    DEVICES.iter().map(|(name, _)| *name).collect()
}

/// Whether the device of that name is a CPU.
///
/// ```
/// assert!(selvedge::device::is_cpu("flex") && !selvedge::device::is_cpu("wgpu"));
/// ```
pub fn is_cpu(name: &str) -> bool {
    matches!(name, "flex" | "ndarray")
}

/// Opens the device of that name: `flex`, `ndarray`, `wgpu` or `cuda`, each under the cargo feature
/// of the same name, or `auto`: the first of `cuda`, `wgpu`, `flex` and `ndarray` that works.
///
/// A GPU is asked for a small sum before it is returned, so that a missing driver is found here and
/// not in the middle of a run.
///
/// # Errors
///
/// [`DeviceError::Unknown`], [`DeviceError::NotCompiled`] with the feature that brings the device,
/// or [`DeviceError::Unavailable`] with the driver's reason.
///
/// ```
/// let device = selvedge::device::open("flex")?;
/// assert_eq!(
///     selvedge::device::open("tpu").unwrap_err().to_string(),
///     "unknown device `tpu`; the devices are auto, flex, ndarray, wgpu and cuda",
/// );
/// # Ok::<(), selvedge::device::DeviceError>(())
/// ```
pub fn open(name: &str) -> Result<Device, DeviceError> {
    open_named(name).map(|(device, _)| device)
}

/// As [`open`], with the name of the device that was opened: what `auto` chose.
///
/// # Errors
///
/// As [`open`].
pub fn open_named(name: &str) -> Result<(Device, &'static str), DeviceError> {
    if name == "auto" {
        return auto();
    }
    let Some(&(known, is_compiled)) = DEVICES.iter().find(|(known, _)| *known == name) else {
        return Err(DeviceError::Unknown { name: name.into() });
    };
    if !is_compiled {
        return Err(DeviceError::NotCompiled {
            name: name.into(),
            compiled: compiled().join(", "),
        });
    }
    Ok((probe(known)?, known))
}

fn auto() -> Result<(Device, &'static str), DeviceError> {
    let mut failure = None;
    for name in ["cuda", "wgpu", "flex", "ndarray"] {
        if compiled().contains(&name) {
            match probe(name) {
                Ok(device) => return Ok((device, name)),
                Err(error) => failure = Some(error),
            }
        }
    }
    Err(failure
        .unwrap_or(DeviceError::NotCompiled { name: "flex".into(), compiled: "none".into() }))
}

/// Makes a device and lets it add two numbers.
fn probe(name: &'static str) -> Result<Device, DeviceError> {
    // Burn's GPU runtimes report a missing driver by panicking.
    let attempt = quietly(|| {
        let device = make(name);
        let sum = burn::tensor::Tensor::<1>::ones([2], &device).sum().into_scalar::<f32>();
        (device, sum)
    });
    let reason = match attempt {
        Ok((device, 2.0)) => return Ok(device),
        Ok((_, sum)) => format!("it adds 1 and 1 to {sum}"),
        Err(reason) => reason,
    };
    let name = name.into();
    Err(DeviceError::Unavailable { name, reason })
}

fn make(name: &str) -> Device {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Device::flex(),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)]
        // Burn advises against it; it is here for those who ask for it.
        "ndarray" => Device::ndarray(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(Default::default()),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(0),
        _ => unreachable!("{name} is not compiled in"),
    }
}

/// Runs `work`; if it panics, the first line of its message is the error, and nothing is printed.
fn quietly<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    if !cfg!(any(feature = "wgpu", feature = "cuda")) {
        return Ok(work());
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(work);
    std::panic::set_hook(hook);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("it gives no reason");
        text.lines().next().unwrap_or_default().to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_finds_a_device_that_was_compiled_in() {
        let (_, name) = open_named("auto").unwrap();
        assert!(compiled().contains(&name));
    }

    #[test]
    fn a_device_that_was_left_out_names_the_feature_to_enable() {
        for (name, is_compiled) in DEVICES {
            if !is_compiled {
                let message = open(name).unwrap_err().to_string();
                assert!(message.contains(&format!("`--features {name}`")), "{message}");
            }
        }
    }
}
