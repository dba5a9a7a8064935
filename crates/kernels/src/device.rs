//! What kind of device a tensor is on.

use burn::tensor::Device;

/// Whether the device is a CPU: Burn's flex or ndarray device. A program that keeps its own threads busy gains
/// nothing by preparing ahead for one, as it does for a GPU.
///
/// ```
/// use burn::tensor::Device;
///
/// assert!(selvedge_kernels::is_cpu(&Device::flex()));
/// assert!(selvedge_kernels::is_cpu(&Device::flex().autodiff()));
/// ```
pub fn is_cpu(device: &Device) -> bool {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    use burn::backend::DispatchDevice;
    match device.clone().without_autodiff().as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[allow(unreachable_patterns)]
        _ => false,
    }
}
