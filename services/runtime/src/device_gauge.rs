//! What the driver of a worker's device says, asked with each renewal of the worker's key.

use std::sync::Arc;
use std::time::Duration;

use schemas::progress::{Device, GpuFacts};
use tokio::time::timeout;

use crate::meters;
use crate::worker::WorkerOptions;

/// Asks the driver; may block for some milliseconds. Nothing where it does not answer.
pub type DeviceGauge = Arc<dyn Fn() -> Option<GpuFacts> + Send + Sync>;

/// How long an answer may take. The key of the worker is not renewed meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A gauge that is asked until it hangs once.
pub(crate) struct GaugeReader {
    gauge: Option<DeviceGauge>,
    timeout: Duration,
}

impl GaugeReader {
    pub(crate) fn of(options: &WorkerOptions) -> Self {
        Self::new(options.device_gauge.clone())
    }

    fn new(gauge: Option<DeviceGauge>) -> Self {
        Self {
            gauge,
            timeout: ANSWER_TIMEOUT,
        }
    }

    /// The device with what its driver says now.
    pub(crate) async fn measure(&mut self, device: Option<Device>) -> Option<Device> {
        let device = device?;
        let gpu = self.ask().await;
        if let Some(facts) = &gpu {
            meters::device_measured(facts);
        }

        Some(Device { gpu, ..device })
    }

    async fn ask(&mut self) -> Option<GpuFacts> {
        let gauge = self.gauge.clone()?;
        let answer = tokio::task::spawn_blocking(move || gauge());

        match timeout(self.timeout, answer).await {
            Ok(Ok(facts)) => facts,
            Ok(Err(_)) | Err(_) => {
                // Each question would cost a thread that waits for the driver.
                tracing::warn!("the driver of the device hangs; it is not asked any more");
                self.gauge = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    fn gpu() -> Device {
        Device {
            kind: "cuda".to_owned(),
            name: "GPU 0".to_owned(),
            gpu: None,
        }
    }

    fn facts() -> GpuFacts {
        GpuFacts {
            model: "NVIDIA H100 80GB HBM3".to_owned(),
            memory_bytes: 80 << 30,
            memory_used_bytes: 12 << 30,
            utilization_percent: Some(37),
        }
    }

    #[tokio::test]
    async fn the_device_is_shown_with_what_its_driver_says() {
        let mut reader = GaugeReader::new(Some(Arc::new(|| Some(facts()))));

        let device = reader.measure(Some(gpu())).await;

        assert_eq!(device.unwrap().gpu, Some(facts()));
    }

    #[tokio::test]
    async fn a_host_without_a_driver_shows_the_device_alone() {
        assert_eq!(GaugeReader::new(None).measure(None).await, None);

        let mut silent = GaugeReader::new(Some(Arc::new(|| None)));
        assert_eq!(silent.measure(Some(gpu())).await, Some(gpu()));
    }

    #[tokio::test]
    async fn a_driver_that_hangs_is_asked_once() {
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let mut reader = GaugeReader {
            // Until the end of the test.
            gauge: Some(Arc::new(move || {
                let _ = released.lock().unwrap().recv();
                Some(facts())
            })),
            timeout: Duration::from_millis(20),
        };

        assert_eq!(reader.measure(Some(gpu())).await, Some(gpu()));

        assert!(reader.gauge.is_none());
        drop(release);
    }
}
