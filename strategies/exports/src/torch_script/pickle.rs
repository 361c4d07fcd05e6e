//! The pickle of a module: an object of a class of the archive's source, with its attributes. The
//! operations are those of protocol 2, as in Python's `pickletools`.

use super::source::{ModuleSource, Tensor, Values};

const PROTOCOL: &[u8] = b"\x80\x02";
const MARK: u8 = b'(';
const TUPLE: u8 = b't';
const EMPTY_TUPLE: u8 = b')';
const EMPTY_DICT: u8 = b'}';
const SET_ITEMS: u8 = b'u';
const NEW_OBJECT: u8 = 0x81;
const REDUCE: u8 = b'R';
const BUILD: u8 = b'b';
const STOP: u8 = b'.';
const NONE: u8 = b'N';
const FALSE: u8 = 0x89;
/// What follows is found by its name outside the pickle: the storage of a tensor.
const BY_NAME: u8 = b'Q';

/// The pickle of the module.
pub(super) fn pickle_module(module: &ModuleSource) -> Vec<u8> {
    let mut pickle = Pickle(PROTOCOL.to_vec());
    pickle.global("__torch__", "Network");
    pickle.operations(&[EMPTY_TUPLE, NEW_OBJECT, EMPTY_DICT, MARK]);

    pickle.text("training");
    pickle.operations(&[FALSE]);
    pickle.text("_is_full_backward_hook");
    pickle.operations(&[NONE]);
    for (number, tensor) in module.tensors().iter().enumerate() {
        pickle.text(&tensor.name);
        pickle.tensor(number, tensor);
    }

    pickle.operations(&[SET_ITEMS, BUILD, STOP]);
    pickle.0
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn operations(&mut self, operations: &[u8]) {
        self.0.extend_from_slice(operations);
    }

    fn global(&mut self, module: &str, name: &str) {
        self.0
            .extend_from_slice(format!("c{module}\n{name}\n").as_bytes());
    }

    /// Names are shorter than 2³² bytes.
    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A whole number below 2³¹, as sizes of networks are.
    fn integer(&mut self, value: usize) {
        self.0.push(b'J');
        self.0.extend_from_slice(&(value as u32).to_le_bytes());
    }

    fn integers(&mut self, values: &[usize]) {
        self.operations(&[MARK]);
        for &value in values {
            self.integer(value);
        }
        self.operations(&[TUPLE]);
    }

    /// A tensor over the storage of that number, row after row, which asks for no gradient.
    fn tensor(&mut self, number: usize, tensor: &Tensor) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.operations(&[MARK, MARK]);
        self.text("storage");
        let storage = match tensor.values {
            Values::Floats(_) => "FloatStorage",
            Values::Doubles(_) => "DoubleStorage",
        };
        self.global("torch", storage);
        self.text(&number.to_string());
        self.text("cpu");
        self.integer(tensor.shape.iter().product());
        self.operations(&[TUPLE, BY_NAME]);

        self.integer(0);
        self.integers(&tensor.shape);
        self.integers(&strides_of(&tensor.shape));
        self.operations(&[FALSE]);
        self.global("collections", "OrderedDict");
        self.operations(&[EMPTY_TUPLE, REDUCE, TUPLE, REDUCE]);
    }
}

/// How many values lie between neighbours of each dimension.
fn strides_of(shape: &[usize]) -> Vec<usize> {
    let mut strides = Vec::with_capacity(shape.len());
    for axis in 0..shape.len() {
        let inner = shape.iter().skip(axis + 1);
        strides.push(inner.product());
    }
    strides
}
