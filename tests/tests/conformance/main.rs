//! What every kind of operation promises to whoever runs it with `ktrdr`: one suite, run for each
//! kind through the real program on a whole local system.

#[cfg(test)]
mod kinds;
#[cfg(test)]
mod program;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod suite;
