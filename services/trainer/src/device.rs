//! Where a training computes: the setting `[trainer] device`, and the device that it means on this
//! host.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemas::codes::{self, Advice, Code};
use schemas::ids::Lane;
use schemas::progress::Device;
use serde::{Deserialize, Serialize};

use crate::engine::count_gpus;

/// The setting `[trainer] device`: `auto`, `cpu`, or `cuda:N` with N from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceSetting {
    /// The first GPU where libtorch can use one, else the CPU.
    #[default]
    Auto,
    /// The CPU, even where there is a GPU.
    Cpu,
    /// The GPU of that number, as CUDA counts them from 0.
    Cuda(usize),
}

/// A device that exists on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComputeDevice {
    /// The CPU of the host.
    Cpu,
    /// The GPU of that number, as CUDA counts them from 0.
    Cuda(usize),
}

/// Why a trainer does not start with its device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The setting is none of the words that it may be.
    #[error("`{text}` is not a device: expected auto, cpu or cuda:N")]
    Setting {
        /// The setting as written.
        text: String,
    },
    /// The host does not have that GPU, or its libtorch cannot use it.
    #[error("the device is set to cuda:{number}, and libtorch finds {gpus} GPUs on this host")]
    Absent {
        /// Number of the GPU in the setting.
        number: usize,
        /// GPUs that libtorch can use.
        gpus: usize,
    },
    /// A trainer without a GPU must not take work that requires one.
    #[error("the lane gpu is for trainers with a GPU, and this one computes on the CPU")]
    LaneWithoutGpu,
}

impl Advice for DeviceError {
    fn code(&self) -> Code {
        match self {
            Self::Setting { .. } => codes::CONFIG_INVALID,
            Self::Absent { .. } | Self::LaneWithoutGpu => codes::TRAIN_NO_GPU,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Setting { .. } => "write cuda:0 for the first GPU",
            Self::Absent { .. } => {
                "set [trainer] device to auto or cpu; GPUs are counted from 0, and only a libtorch \
                 from `infra/setup libtorch --cuda` sees them"
            }
            Self::LaneWithoutGpu => {
                "leave lanes out of the settings, or start it on a host with a GPU and a \
                 libtorch from `infra/setup libtorch --cuda`"
            }
        }
        .into()
    }
}

impl DeviceSetting {
    /// The device that this setting means on this host.
    ///
    /// # Errors
    /// The GPU of the setting does not exist here.
    pub fn find_device(self) -> Result<ComputeDevice, DeviceError> {
        self.find_among(count_gpus())
    }

    /// The device on a host with that number of GPUs.
    fn find_among(self, gpus: usize) -> Result<ComputeDevice, DeviceError> {
        match self {
            Self::Auto if gpus > 0 => Ok(ComputeDevice::Cuda(0)),
            Self::Auto | Self::Cpu => Ok(ComputeDevice::Cpu),
            Self::Cuda(number) if number < gpus => Ok(ComputeDevice::Cuda(number)),
            Self::Cuda(number) => Err(DeviceError::Absent { number, gpus }),
        }
    }
}

impl ComputeDevice {
    /// True for a GPU.
    pub const fn is_gpu(self) -> bool {
        matches!(self, Self::Cuda(_))
    }

    /// The lanes that a trainer on this device may serve, the preferred one first.
    pub const fn lanes(self) -> &'static [Lane] {
        match self {
            Self::Cuda(_) => &[Lane::Gpu, Lane::Default, Lane::Background],
            Self::Cpu => &[Lane::Default, Lane::Background],
        }
    }

    /// Checks that a trainer on this device may serve `lanes`. The lane `gpu` promises its users a
    /// GPU.
    ///
    /// # Errors
    /// `gpu` is among them, and this is none.
    pub fn check_lanes(self, lanes: &[Lane]) -> Result<(), DeviceError> {
        if lanes.contains(&Lane::Gpu) && !self.is_gpu() {
            return Err(DeviceError::LaneWithoutGpu);
        }
        Ok(())
    }

    /// The device as workers and progress records show it. libtorch does not give the product name
    /// of a GPU, so its number is its name.
    pub fn describe(self) -> Device {
        match self {
            Self::Cpu => Device {
                kind: "cpu".to_owned(),
                name: String::new(),
                ..Device::default()
            },
            Self::Cuda(number) => Device {
                kind: "cuda".to_owned(),
                name: format!("GPU {number}"),
                ..Device::default()
            },
        }
    }
}

impl fmt::Display for DeviceSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.pad("auto"),
            Self::Cpu => formatter.pad("cpu"),
            Self::Cuda(number) => write!(formatter, "cuda:{number}"),
        }
    }
}

impl FromStr for DeviceSetting {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text
            .strip_prefix("cuda:")
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        match (text, number) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            (_, Some(number)) => Ok(Self::Cuda(number)),
            _ => Err(DeviceError::Setting {
                text: text.to_owned(),
            }),
        }
    }
}

impl TryFrom<String> for DeviceSetting {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DeviceSetting> for String {
    fn from(setting: DeviceSetting) -> Self {
        setting.to_string()
    }
}

impl fmt::Display for ComputeDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.pad("cpu"),
            Self::Cuda(number) => write!(formatter, "cuda:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_reads_back_as_it_is_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:7"] {
            assert_eq!(text.parse::<DeviceSetting>().unwrap().to_string(), text);
        }
        for text in ["", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:+1", "CPU"] {
            let error = text.parse::<DeviceSetting>().unwrap_err();
            assert_eq!(error.code(), codes::CONFIG_INVALID, "{text}");
        }
    }

    #[test]
    fn auto_takes_the_first_gpu_and_cpu_never_does() {
        assert_eq!(
            DeviceSetting::Auto.find_among(2),
            Ok(ComputeDevice::Cuda(0))
        );
        assert_eq!(DeviceSetting::Auto.find_among(0), Ok(ComputeDevice::Cpu));
        assert_eq!(DeviceSetting::Cpu.find_among(2), Ok(ComputeDevice::Cpu));
    }

    #[test]
    fn a_gpu_that_is_not_there_is_refused() {
        assert_eq!(
            DeviceSetting::Cuda(1).find_among(2),
            Ok(ComputeDevice::Cuda(1))
        );

        let error = DeviceSetting::Cuda(2).find_among(2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the device is set to cuda:2, and libtorch finds 2 GPUs on this host"
        );
        assert_eq!(error.code(), codes::TRAIN_NO_GPU);
    }

    #[test]
    fn workers_show_which_gpu_they_have() {
        let device = ComputeDevice::Cuda(1).describe();
        assert_eq!(
            (device.kind.as_str(), device.name.as_str()),
            ("cuda", "GPU 1")
        );
        assert_eq!(ComputeDevice::Cpu.describe().kind, "cpu");
    }

    #[test]
    fn the_lane_gpu_is_served_on_a_gpu_only() {
        let gpu = ComputeDevice::Cuda(0);
        let cpu = ComputeDevice::Cpu;

        assert_eq!(gpu.check_lanes(gpu.lanes()), Ok(()));
        assert_eq!(cpu.check_lanes(cpu.lanes()), Ok(()));
        assert_eq!(
            cpu.check_lanes(&[Lane::Default, Lane::Gpu]),
            Err(DeviceError::LaneWithoutGpu)
        );
    }
}
