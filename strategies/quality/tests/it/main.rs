//! The specifications of the crate `quality`, in one binary.

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod injected_faults;
#[cfg(test)]
mod labelled;
#[cfg(test)]
mod real_series;
#[cfg(test)]
mod repairs;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod seams;
#[cfg(test)]
mod shares;
