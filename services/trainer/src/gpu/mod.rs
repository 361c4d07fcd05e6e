//! What the driver says about the GPU of a trainer: product, memory, how busy it is. Where there is
//! no driver, or nobody knows which of its GPUs is meant, nothing is said and nothing fails.

#[cfg(feature = "libtorch")]
mod nvml;
#[cfg(any(feature = "libtorch", test))]
mod order;

use std::sync::{Arc, PoisonError, RwLock};

use runtime::DeviceGauge;
use schemas::progress::GpuFacts;

use crate::device::ComputeDevice;

/// The GPU of a trainer. Copies share what was read last.
#[derive(Clone, Debug, Default)]
pub struct GpuGauge {
    #[cfg(feature = "libtorch")]
    gpu: Option<Arc<nvml::DriverGpu>>,
    latest: Arc<RwLock<Option<GpuFacts>>>,
}

impl GpuGauge {
    /// The gauge of `device`; one that says nothing for a CPU, and where no driver can be asked.
    pub fn open(device: ComputeDevice) -> Self {
        #[cfg(feature = "libtorch")]
        if let ComputeDevice::Cuda(number) = device {
            return Self {
                gpu: nvml::DriverGpu::open(number).map(Arc::new),
                ..Self::default()
            };
        }

        // Without libtorch there is no GPU.
        let _ = device;
        Self::default()
    }

    /// Asks the driver: some milliseconds.
    pub fn read(&self) -> Option<GpuFacts> {
        #[cfg(feature = "libtorch")]
        let facts = self.gpu.as_ref().and_then(|gpu| gpu.read());
        #[cfg(not(feature = "libtorch"))]
        let facts = None;

        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        latest.clone_from(&facts);
        facts
    }

    /// What the driver said when it was asked last, by whoever.
    pub fn latest(&self) -> Option<GpuFacts> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    /// The question that the worker asks at each renewal of its key.
    pub fn into_device_gauge(self) -> DeviceGauge {
        Arc::new(move || self.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_says_nothing() {
        let gauge = GpuGauge::open(ComputeDevice::Cpu);

        assert_eq!(gauge.read(), None);
        assert_eq!(gauge.latest(), None);
    }

    #[test]
    fn a_gpu_that_no_driver_has_says_nothing() {
        let gauge = GpuGauge::open(ComputeDevice::Cuda(999));

        assert_eq!(gauge.clone().into_device_gauge()(), None);
        assert_eq!(gauge.latest(), None);
    }
}
