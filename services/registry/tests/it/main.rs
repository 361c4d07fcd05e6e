//! Specifications of the registry, one module per subject.

#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod hand_model;
#[cfg(test)]
mod trial;
