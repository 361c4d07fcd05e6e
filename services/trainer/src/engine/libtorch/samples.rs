//! The samples of a part on a device: rows, or windows of rows, which are gathered by index.

use std::ops::Range;

use strategies::windows::Windows;
use tch::{Device, Kind, TchError, Tensor};

use crate::data::PartData;

/// What a network reads of the samples of a part.
#[derive(Debug)]
pub struct Samples {
    /// `[rows, features]`; `[samples, inputs]` where there are no windows.
    table: Tensor,
    windows: Option<WindowIndex>,
}

/// The rows of every window.
#[derive(Debug)]
struct WindowIndex {
    /// The last row of each window, `[windows]`.
    last_rows: Tensor,
    /// From the last row of a window to each of its rows, oldest first: `[length]`, from 1 −
    /// `length` to 0.
    offsets: Tensor,
}

impl Samples {
    /// The samples of `part`, which has rows of `features` features.
    ///
    /// # Errors
    /// When libtorch refuses, usually for lack of memory.
    pub fn new(part: &PartData, features: usize, device: Device) -> Result<Self, TchError> {
        let rows = match &part.windows {
            // Without windows a row of the table is all that the network reads of a sample.
            None => part.labels.len(),
            Some(_) => part.features.len() / features.max(1),
        };
        let width = part.features.len() / rows.max(1);
        let table = Tensor::f_from_slice(&part.features)?
            .f_view([rows as i64, width as i64])?
            .f_to_device(device)?;

        let windows = part.windows.as_ref();
        let windows = windows.map(|windows| WindowIndex::new(windows, device));
        Ok(Self {
            table,
            windows: windows.transpose()?,
        })
    }

    /// The inputs of the samples `chosen`, `[chosen, inputs]`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn gather(&self, chosen: &Tensor) -> Result<Tensor, TchError> {
        match &self.windows {
            None => self.table.f_index_select(0, chosen),
            Some(windows) => {
                let last_rows = windows.last_rows.f_index_select(0, chosen)?;
                windows.gather(&self.table, &last_rows)
            }
        }
    }

    /// The inputs of neighbouring samples, `[samples, inputs]`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn slice(&self, samples: Range<usize>) -> Result<Tensor, TchError> {
        let start = samples.start as i64;
        let length = samples.len() as i64;
        match &self.windows {
            None => self.table.f_narrow(0, start, length),
            Some(windows) => {
                let last_rows = windows.last_rows.f_narrow(0, start, length)?;
                windows.gather(&self.table, &last_rows)
            }
        }
    }
}

impl WindowIndex {
    fn new(windows: &Windows, device: Device) -> Result<Self, TchError> {
        let last_rows = windows.last_rows.iter().map(|&row| row as i64);
        let last_rows: Vec<i64> = last_rows.collect();
        let first = 1 - windows.length as i64;

        Ok(Self {
            last_rows: Tensor::f_from_slice(&last_rows)?.f_to_device(device)?,
            offsets: Tensor::f_arange_start(first, 1, (Kind::Int64, device))?,
        })
    }

    /// The windows that end at `last_rows`, `[windows, length · features]`.
    fn gather(&self, table: &Tensor, last_rows: &Tensor) -> Result<Tensor, TchError> {
        let rows = last_rows.f_unsqueeze(1)?.f_add(&self.offsets)?;
        let values = table.f_index_select(0, &rows.f_flatten(0, 1)?)?;
        values.f_view([last_rows.numel() as i64, -1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use crate::engine::libtorch::learner::copy_to_host;

    /// Five rows of two features: row r has 10·r and 10·r + 1.
    fn part(samples: usize, windows: Option<Windows>) -> PartData {
        let values = [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0, 40.0, 41.0];
        PartData {
            features: values.to_vec(),
            labels: Labels::Returns(vec![0.0; samples]),
            windows,
        }
    }

    /// Windows of two rows that end at rows 1, 2 and 4.
    fn windows() -> Windows {
        Windows {
            length: 2,
            last_rows: vec![1, 2, 4],
            longest_stretch: 3,
        }
    }

    #[test]
    fn windows_are_gathered_in_the_order_of_the_batch() {
        let samples = Samples::new(&part(3, Some(windows())), 2, Device::Cpu).unwrap();

        let batch = samples.gather(&Tensor::from_slice(&[2_i64, 0])).unwrap();

        // Rows 3 and 4, then rows 0 and 1.
        assert_eq!(batch.size(), [2, 4]);
        let expected = [30.0, 31.0, 40.0, 41.0, 0.0, 1.0, 10.0, 11.0];
        assert_eq!(copy_to_host(&batch).unwrap(), expected);
    }

    #[test]
    fn neighbouring_windows_share_rows() {
        let samples = Samples::new(&part(3, Some(windows())), 2, Device::Cpu).unwrap();
        let both = samples.slice(0..2).unwrap();
        let expected = [0.0, 1.0, 10.0, 11.0, 10.0, 11.0, 20.0, 21.0];
        assert_eq!(copy_to_host(&both).unwrap(), expected);
    }

    #[test]
    fn without_windows_a_row_of_the_table_is_a_sample() {
        let samples = Samples::new(&part(5, None), 2, Device::Cpu).unwrap();
        assert_eq!(samples.table.size(), [5, 2]);
        let last = samples.gather(&Tensor::from_slice(&[4_i64])).unwrap();
        assert_eq!(copy_to_host(&last).unwrap(), [40.0, 41.0]);

        // One sample of windows that were written out has the values of several rows.
        let samples = Samples::new(&part(1, None), 2, Device::Cpu).unwrap();
        assert_eq!(samples.slice(0..1).unwrap().size(), [1, 10]);
    }
}
