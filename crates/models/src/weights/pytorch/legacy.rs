//! The format of before PyTorch 1.6: five pickles, then the storages one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::input::Input;
use super::super::pickle::{self, Stream, Tree};
use super::archive::Place;
use super::view::Storage;

/// Before the values of a storage stands the number of its elements.
const COUNT: u64 = 8;

/// Storages in the order of the file.
#[derive(Debug)]
pub struct Storages {
    /// Their names, and where they stand in the file.
    order: HashMap<String, usize>,
    /// The type of the elements of each, by the pickle.
    widths: HashMap<String, u64>,
    /// Where each storage that has been passed begins, and its bytes.
    places: Vec<(u64, u64)>,
    names: Vec<String>,
    /// Where the first begins that has not been passed.
    next: u64,
}

/// Reads the pickles; gives that of the weights, where it begins, and the storages.
pub fn open(input: &Input<'_>) -> Result<(Tree, u64, Storages), String> {
    let mut stream = Stream::new(input);
    // A magic number, the version of the format, the sizes of the machine's types.
    for _ in 0..3 {
        pickle::read(&mut stream)?;
    }
    let start = stream.position();
    let tree = pickle::read(&mut stream)?;
    let keys = pickle::read(&mut stream)?;
    let names = keys.sequence(keys.root()).ok_or("the names of its storages are missing")?;
    let names: Vec<String> = names.iter().map(|name| keys.key(*name).unwrap_or_default()).collect();
    let order = names.iter().cloned().enumerate().map(|(index, name)| (name, index)).collect();
    let widths = super::tensor::storage_widths(&tree);
    let next = stream.position();
    Ok((tree, start, Storages { order, widths, places: Vec::new(), names, next }))
}

impl Storages {
    /// The storage of a name; those before it are passed over. The values are little-endian on every machine.
    pub fn find(
        &mut self,
        input: &Input<'_>,
        name: &str,
        said: u64,
    ) -> Result<Arc<Storage>, String> {
        let missing = || format!("its storage `{name}` is not in the file");
        let index = *self.order.get(name).ok_or_else(missing)?;
        while self.places.len() <= index {
            let name = &self.names[self.places.len()];
            let count = input.read(self.next, COUNT as usize).map_err(|e| e.to_string())?;
            let count = count.try_into().map(u64::from_le_bytes).map_err(|_| missing())?;
            let width = self.widths.get(name).copied().unwrap_or(1);
            let size = count.checked_mul(width).ok_or_else(missing)?;
            let start = self.next + COUNT;
            let end = start.checked_add(size).filter(|end| *end <= input.length());
            self.next = end.ok_or_else(|| {
                format!("it is cut off: its storage `{name}` is of {count} elements")
            })?;
            self.places.push((start, size));
        }
        let (offset, size) = self.places[index];
        if size != said {
            return Err(format!("its storage `{name}` has {size} bytes where {said} are said"));
        }
        let place = Place { offset, packed: size, size, is_deflated: false, checksum: None };
        Ok(Storage::new(place, false))
    }
}
