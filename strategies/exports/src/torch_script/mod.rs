//! A network as a module of TorchScript, which `torch.jit.load` and libtorch read: a zip archive of
//! its source, its tensors, and a pickle that says which tensor is which attribute.
//!
//! The layout is that of PyTorch's `caffe2/serialize/inline_container.h`, format 10, which every
//! release since 1.10 reads.

mod pickle;
mod source;

use std::io::{Cursor, Write as _};

use networks::Model;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use self::pickle::pickle_module;
use self::source::{ModuleSource, Values};
use crate::{ExportError, Facts};

/// The folder of every part within the archive.
const FOLDER: &str = "network";
/// Version of the archive and of the operators in it.
const FORMAT: &str = "10\n";
/// A pickle of the empty tuple: the source has no constants.
const NO_CONSTANTS: &[u8] = b"\x80\x02).";
/// Where tensors begin, so that they can be mapped into memory.
const ALIGNMENT: u16 = 64;

/// The bytes of a module whose `forward` takes float64 columns, `[rows, columns]` or
/// `[rows, length, columns]`, and gives float32 `[rows, outputs]`. The extra file `facts.json` says
/// where it comes from and what its columns and outputs are.
///
/// # Errors
/// When the archive cannot be put together.
pub fn torch_script(model: &Model, facts: &Facts<'_>) -> Result<Vec<u8>, ExportError> {
    let module = ModuleSource::of(model);
    let listed = facts.listed(model).into_iter();
    let facts: serde_json::Map<_, _> = listed
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();

    let mut archive = Archive::default();
    archive.add("data.pkl", &pickle_module(&module))?;
    archive.add("code/__torch__.py", module.text().as_bytes())?;
    archive.add("constants.pkl", NO_CONSTANTS)?;
    archive.add("version", FORMAT.as_bytes())?;
    archive.add("byteorder", b"little")?;
    let facts = serde_json::Value::Object(facts).to_string();
    archive.add("extra/facts.json", facts.as_bytes())?;
    for (number, tensor) in module.tensors().iter().enumerate() {
        archive.add(&format!("data/{number}"), &bytes_of(&tensor.values))?;
    }
    archive.finish()
}

fn bytes_of(values: &Values) -> Vec<u8> {
    match values {
        Values::Floats(values) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        Values::Doubles(values) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
    }
}

/// An archive under construction, with the same bytes for the same parts.
struct Archive {
    writer: ZipWriter<Cursor<Vec<u8>>>,
    options: SimpleFileOptions,
}

impl Default for Archive {
    fn default() -> Self {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .with_alignment(ALIGNMENT);

        Self {
            writer: ZipWriter::new(Cursor::new(Vec::new())),
            options,
        }
    }
}

impl Archive {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let name = format!("{FOLDER}/{name}");
        self.writer.start_file(name, self.options)?;
        self.writer.write_all(bytes)?;
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, ExportError> {
        Ok(self.writer.finish()?.into_inner())
    }
}
