//! One binary with every test of the crate, so that they are linked once.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod any_columns;
#[cfg(test)]
mod bars_page;
#[cfg(test)]
mod columnar;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod fault_proxy;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod files;
#[cfg(test)]
mod model_faults;
#[cfg(test)]
mod s3_faults;
#[cfg(test)]
mod s3_server;
#[cfg(test)]
mod series_form;
#[cfg(test)]
mod text_files;
#[cfg(test)]
mod text_fuzz;
