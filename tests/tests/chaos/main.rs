//! Faults that are injected on purpose, each a row of `docs/faults.md`: a short run with all other
//! tests, a long one by `make chaos`.

#[cfg(test)]
mod book;
#[cfg(test)]
mod checker;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod deleted;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod links;
#[cfg(test)]
mod many_workers;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod mixed;
#[cfg(test)]
mod page;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod torn_copy;
