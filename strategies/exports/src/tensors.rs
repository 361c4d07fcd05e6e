//! The parameters of a network by the name of their tensor.

use std::collections::BTreeMap;

/// The parameters of a network by the name of their tensor.
pub(crate) type Tensors<'a> = BTreeMap<String, &'a [f32]>;

/// The values of a tensor.
pub(crate) fn values(tensors: &Tensors<'_>, name: &str) -> Vec<f32> {
    tensors
        .get(name)
        .map_or_else(Vec::new, |values| values.to_vec())
}
