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
/// Where there are several, `cuda:1` is the second NVIDIA GPU, `wgpu:1` the second discrete GPU, and `wgpu:cpu` a
/// program that does as if the CPU were one, such as Mesa's lavapipe. Without a number, `cuda` is the first, and `wgpu`
/// what it takes for the best.
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
    let unknown = || DeviceError::Unknown { name: name.into() };
    let (family, which) = match name.split_once(':') {
        Some((family, which)) => (family, Which::of(family, which).ok_or_else(unknown)?),
        None => (name, Which::Best),
    };
    let known = DEVICES.iter().find(|(known, _)| *known == family);
    let &(known, is_compiled) = known.ok_or_else(unknown)?;
    if !is_compiled {
        return Err(DeviceError::NotCompiled {
            name: known.into(),
            compiled: compiled().join(", "),
        });
    }
    Ok((probe(known, which, name)?, known))
}

/// Opens several devices, their names joined by commas: `cuda:0,cuda:1`. Those behind the first are for
/// [`Context::with_others`](selvedge_train::Context::with_others). Also gives the name of the first.
///
/// # Errors
///
/// As [`open`], for the first that cannot be had.
///
/// ```
/// let (devices, name) = selvedge::device::open_all("flex,flex")?;
/// assert_eq!((devices.len(), name), (2, "flex"));
/// # Ok::<(), selvedge::device::DeviceError>(())
/// ```
pub fn open_all(names: &str) -> Result<(Vec<Device>, &'static str), DeviceError> {
    let mut names = names.split(',');
    let (first, name) = open_named(names.next().unwrap_or_default())?;
    let others = names.map(open).collect::<Result<Vec<_>, _>>()?;
    Ok(([vec![first], others].concat(), name))
}

/// Which of several devices of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Best,
    Number(usize),
    Cpu,
}

impl Which {
    /// What stands behind the colon, if that family has such devices.
    fn of(family: &str, which: &str) -> Option<Self> {
        match (family, which) {
            ("wgpu", "cpu") => Some(Self::Cpu),
            ("wgpu" | "cuda", number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().ok().map(Self::Number)
            }
            _ => None,
        }
    }
}

fn auto() -> Result<(Device, &'static str), DeviceError> {
    let mut failure = None;
    for name in ["cuda", "wgpu", "flex", "ndarray"] {
        if compiled().contains(&name) {
            match probe(name, Which::Best, name) {
                Ok(device) => return Ok((device, name)),
                Err(error) => failure = Some(error),
            }
        }
    }
    Err(failure
        .unwrap_or(DeviceError::NotCompiled { name: "flex".into(), compiled: "none".into() }))
}

/// Makes a device and lets it add two numbers.
fn probe(name: &'static str, which: Which, asked: &str) -> Result<Device, DeviceError> {
    // Burn's GPU runtimes report a missing driver by panicking.
    let attempt = quietly(|| {
        let device = make(name, which);
        let sum = burn::tensor::Tensor::<1>::ones([2], &device).sum().into_scalar::<f32>();
        (device, sum)
    });
    let reason = match attempt {
        Ok((device, 2.0)) => return Ok(device),
        Ok((_, sum)) => format!("it adds 1 and 1 to {sum}"),
        Err(reason) => reason,
    };
    Err(DeviceError::Unavailable { name: asked.into(), reason })
}

fn make(name: &str, which: Which) -> Device {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Device::flex(),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)]
        // Burn advises against it; it is here for those who ask for it.
        "ndarray" => Device::ndarray(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(match which {
            Which::Best => burn::tensor::DeviceKind::DefaultDevice,
            Which::Number(number) => burn::tensor::DeviceKind::DiscreteGpu(number),
            Which::Cpu => burn::tensor::DeviceKind::Cpu,
        }),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(match which {
            Which::Number(number) => number,
            Which::Best | Which::Cpu => 0,
        }),
        _ => unreachable!("{name} ({which:?}) is not compiled in"),
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
    fn only_gpus_have_numbers() {
        for (family, which, expected) in [
            ("cuda", "1", Some(Which::Number(1))),
            ("wgpu", "0", Some(Which::Number(0))),
            ("wgpu", "cpu", Some(Which::Cpu)),
            ("cuda", "cpu", None),
            ("cuda", "-1", None),
            ("cuda", "", None),
            ("cuda", "99999999999999999999", None),
            ("flex", "0", None),
        ] {
            assert_eq!(Which::of(family, which), expected, "{family}:{which}");
        }
    }

    #[test]
    fn a_device_that_was_left_out_names_the_feature_to_enable() {
        for (name, is_compiled) in DEVICES {
            if !is_compiled {
                let message = open(name).unwrap_err().to_string();
                assert!(message.contains(&format!("`--features {name}`")), "{message}");
                if !is_cpu(name) {
                    assert_eq!(open(&format!("{name}:1")).unwrap_err().to_string(), message);
                }
            }
        }
    }
}
