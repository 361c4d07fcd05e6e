//! Specifications of the forward pass, of gradients, losses and optimisers.

#[cfg(test)]
mod losses;
#[cfg(test)]
mod model;
#[cfg(test)]
mod optimisers;
#[cfg(test)]
mod perceptron;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod recurrent;
#[cfg(test)]
mod tsk;
