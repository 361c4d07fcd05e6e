//! The labels of a part: what a model's answers are measured against.

/// The labels of a part, one per sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Index into the network's class names.
    Classes(Vec<i64>),
    /// Forward return as a fraction (0.01 = 1 %).
    Returns(Vec<f32>),
}

impl Labels {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Returns(labels) => labels.len(),
        }
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of `rows`, in their order.
    pub fn of_rows(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(values_at(labels, rows)),
            Self::Returns(labels) => Self::Returns(values_at(labels, rows)),
        }
    }

    /// How many of `rows` count for an accuracy: every classified row, and every return other than
    /// 0, which has a direction.
    pub fn countable(&self, rows: &[i64]) -> u64 {
        match self {
            Self::Classes(_) => rows.len() as u64,
            Self::Returns(labels) => {
                let labels = rows.iter().filter_map(|row| labels.get(*row as usize));
                labels.filter(|label| **label != 0.0).count() as u64
            }
        }
    }

    /// Rows of each class `0..classes`; all zero for returns.
    pub fn counts(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        let Self::Classes(labels) = self else {
            return counts;
        };

        // Labels that are no class are reported by the check of the part.
        for &label in labels {
            let class = usize::try_from(label).ok();
            if let Some(count) = class.and_then(|class| counts.get_mut(class)) {
                *count += 1;
            }
        }
        counts
    }
}

fn values_at<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    let values = rows.iter().filter_map(|row| values.get(*row));
    values.copied().collect()
}
