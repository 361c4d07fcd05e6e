//! Specifications of the processor, one module per subject.

#[cfg(test)]
mod data_sets;
#[cfg(test)]
mod finer_bars;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod stored_bars;
