//! Specifications of the trainer, one module per subject.

#[cfg(test)]
mod analytics;
#[cfg(test)]
mod artifact;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod calibration;
#[cfg(test)]
mod confirmations;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod device;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod edge_runs;
#[cfg(test)]
mod edge_sweeps;
#[cfg(test)]
mod engines;
#[cfg(test)]
mod evaluation;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod interruption;
#[cfg(test)]
mod made_up;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod obeyed_settings;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod python;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod service;
#[cfg(test)]
mod setup;
#[cfg(feature = "libtorch")]
#[cfg(test)]
mod torch_script;
#[cfg(test)]
mod training;
#[cfg(test)]
mod windows;
