//! The driver's library NVML, which is loaded when a trainer with a GPU starts.

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use schemas::progress::GpuFacts;

use super::order::{CudaOrder, DriverIdentity};

/// A GPU as the driver counts it.
#[derive(Debug)]
pub(super) struct DriverGpu {
    nvml: Nvml,
    index: u32,
}

impl DriverGpu {
    /// The GPU that CUDA calls `number`; none without a driver, and where the numbers of CUDA and
    /// of the driver cannot be matched.
    pub(super) fn open(number: usize) -> Option<Self> {
        let nvml = match Nvml::init() {
            Ok(nvml) => nvml,
            Err(error) => {
                tracing::debug!(error = %error, "no driver to ask about the GPU");
                return None;
            }
        };
        let identities = match identities(&nvml) {
            Ok(identities) => identities,
            Err(error) => {
                tracing::debug!(error = %error, "the driver does not list its GPUs");
                return None;
            }
        };

        let Some(index) = CudaOrder::of_process().driver_index(number, &identities) else {
            tracing::info!("which GPU of the driver this is cannot be said: its use is not shown");
            return None;
        };
        Some(Self { nvml, index })
    }

    pub(super) fn read(&self) -> Option<GpuFacts> {
        match self.ask() {
            Ok(facts) => Some(facts),
            Err(error) => {
                tracing::debug!(error = %error, "the driver does not answer");
                None
            }
        }
    }

    fn ask(&self) -> Result<GpuFacts, NvmlError> {
        let device = self.nvml.device_by_index(self.index)?;
        let memory = device.memory_info()?;
        // Virtual GPUs do not say it.
        let utilization = device.utilization_rates().ok();

        Ok(GpuFacts {
            model: device.name()?,
            memory_bytes: memory.total,
            memory_used_bytes: memory.used,
            utilization_percent: utilization.and_then(|rates| u8::try_from(rates.gpu).ok()),
        })
    }
}

/// Every GPU of the driver with its index.
fn identities(nvml: &Nvml) -> Result<Vec<DriverIdentity>, NvmlError> {
    let mut identities = Vec::new();
    for index in 0..nvml.device_count()? {
        let device = nvml.device_by_index(index)?;
        identities.push(DriverIdentity {
            index,
            uuid: device.uuid()?,
            model: device.name()?,
            bus: device.pci_info()?.bus_id,
        });
    }
    Ok(identities)
}
