//! Which GPU of the driver CUDA calls by which number.
//!
//! CUDA counts the fastest GPU first unless `CUDA_DEVICE_ORDER` is `PCI_BUS_ID`, and only those of
//! `CUDA_VISIBLE_DEVICES`, a list of numbers or ids. What cannot be told for sure is not told: the
//! figures of another GPU would be worse than none.

/// A GPU as the driver lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DriverIdentity {
    /// The number by which the driver is asked.
    pub(super) index: u32,
    /// `GPU-…`, the same at every start.
    pub(super) uuid: String,
    /// Name of the product.
    pub(super) model: String,
    /// Its place on the bus, such as `00000000:3B:00.0`.
    pub(super) bus: String,
}

/// The variables by which a process chooses and orders its GPUs.
#[derive(Clone, Debug, Default)]
pub(super) struct CudaOrder {
    visible: Option<String>,
    is_by_bus: bool,
}

impl CudaOrder {
    /// That of this process.
    #[cfg(feature = "libtorch")]
    pub(super) fn of_process() -> Self {
        let order = std::env::var("CUDA_DEVICE_ORDER");
        Self {
            visible: std::env::var("CUDA_VISIBLE_DEVICES").ok(),
            is_by_bus: order.is_ok_and(|order| order == "PCI_BUS_ID"),
        }
    }

    /// The driver's index of the GPU that CUDA calls `number`.
    pub(super) fn driver_index(&self, number: usize, gpus: &[DriverIdentity]) -> Option<u32> {
        let Some(visible) = &self.visible else {
            return self.ordered(gpus)?.get(number).map(|gpu| gpu.index);
        };

        let word = visible.split(',').nth(number)?.trim();
        let gpu = match word.parse::<usize>() {
            Ok(place) => self.ordered(gpus)?.get(place).copied(),
            // The beginning of an id will do, as it does for CUDA.
            Err(_) => gpus
                .iter()
                .find(|gpu| word.starts_with("GPU-") && gpu.uuid.starts_with(word)),
        };
        gpu.map(|gpu| gpu.index)
    }

    /// The GPUs in the order of CUDA; none where it depends on what CUDA takes for the fastest.
    fn ordered<'a>(&self, gpus: &'a [DriverIdentity]) -> Option<Vec<&'a DriverIdentity>> {
        let mut ordered: Vec<&DriverIdentity> = gpus.iter().collect();
        ordered.sort_by(|one, other| one.bus.cmp(&other.bus));

        // Equal GPUs are equally fast, and follow each other as on the bus.
        let first = gpus.first()?;
        let are_equal = gpus.iter().all(|gpu| gpu.model == first.model);
        (self.is_by_bus || are_equal).then_some(ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(index: u32, model: &str, bus: &str) -> DriverIdentity {
        DriverIdentity {
            index,
            uuid: format!("GPU-{index}a0b"),
            model: model.to_owned(),
            bus: format!("00000000:{bus}:00.0"),
        }
    }

    fn order(visible: Option<&str>, is_by_bus: bool) -> CudaOrder {
        CudaOrder {
            visible: visible.map(str::to_owned),
            is_by_bus,
        }
    }

    #[test]
    fn equal_gpus_are_counted_along_the_bus() {
        let gpus = [gpu(0, "H100", "9B"), gpu(1, "H100", "3B")];

        let order = order(None, false);
        assert_eq!(order.driver_index(0, &gpus), Some(1));
        assert_eq!(order.driver_index(1, &gpus), Some(0));
        assert_eq!(order.driver_index(2, &gpus), None);
        assert_eq!(order.driver_index(0, &[]), None);
    }

    #[test]
    fn unequal_gpus_are_known_only_by_their_bus() {
        let gpus = [gpu(0, "T4", "3B"), gpu(1, "H100", "9B")];

        assert_eq!(order(None, false).driver_index(0, &gpus), None);
        assert_eq!(order(None, true).driver_index(0, &gpus), Some(0));
    }

    #[test]
    fn visible_gpus_are_counted_by_their_place_in_the_list() {
        let gpus = [gpu(0, "T4", "3B"), gpu(1, "H100", "9B")];

        assert_eq!(order(Some("1, 0"), true).driver_index(0, &gpus), Some(1));
        assert_eq!(order(Some("1"), true).driver_index(1, &gpus), None);
        // An id needs no order.
        let by_id = order(Some("GPU-1a"), false);
        assert_eq!(by_id.driver_index(0, &gpus), Some(1));
        // A part of a GPU has figures of its own.
        let part = order(Some("MIG-1a0b"), false);
        assert_eq!(part.driver_index(0, &gpus), None);
    }
}
