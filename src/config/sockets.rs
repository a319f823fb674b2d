//! What the kernel is told of a listener's sockets, and takes.

use figment::value::Value;

use super::read::{Read, Reader};
use super::values::size;

/// Reads how many bytes the kernel holds: of none it makes as few as it can, which nobody means.
pub(super) fn kernel_size(value: Value, reader: &mut Reader<'_>) -> Option<u64> {
    let bytes = size(value, reader)?;
    if !(1..=i32::MAX as u64).contains(&bytes) {
        reader.wrong("a size of at least 1 byte and less than 2 GiB belongs here").label("leave it out for the kernel's own");
        return None;
    }
    Some(bytes)
}

/// Reads the name of a network interface, as far as the kernel takes any such name.
pub(super) fn interface(value: Value, reader: &mut Reader<'_>) -> Option<String> {
    let name = String::read(value, reader)?;
    let odd = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '\0');
    if name.is_empty() || name.len() > 15 || name.contains(odd) {
        reader
            .wrong(format!("no network interface is named {name:?}"))
            .label("a name of at most 15 bytes, such as \"eth0\"; `ip link` lists them");
        return None;
    }
    Some(name)
}
