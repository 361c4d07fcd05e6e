//! The norms of the gradients of an epoch, on the device: nothing waits for them but their reading.

use tch::{Device, Kind, TchError, Tensor};

use crate::analytics::GradientNorms;

/// Sum and largest of the norms so far.
pub(super) struct DeviceNorms {
    sum: Tensor,
    max: Tensor,
    batches: u32,
}

impl DeviceNorms {
    pub(super) fn zero_on(device: Device) -> Result<Self, TchError> {
        let scalar = [0_i64; 0];
        Ok(Self {
            sum: Tensor::f_zeros(scalar, (Kind::Double, device))?,
            max: Tensor::f_zeros(scalar, (Kind::Double, device))?,
            batches: 0,
        })
    }

    /// Counts the gradient of one batch more.
    pub(super) fn add(&mut self, gradient: &Tensor) -> Result<(), TchError> {
        let norm = gradient.f_norm()?.f_to_kind(Kind::Double)?;
        let _ = self.sum.f_add_(&norm)?;
        self.max = self.max.f_maximum(&norm)?;
        self.batches += 1;
        Ok(())
    }

    /// Copies them to the host.
    pub(super) fn read(&self) -> Result<GradientNorms, TchError> {
        Ok(GradientNorms {
            sum: self.sum.f_double_value(&[])?,
            max: self.max.f_double_value(&[])?,
            batches: self.batches,
        })
    }
}
