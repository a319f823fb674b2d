//! malloc_trim (malloc_trim(3)): what was freed goes back to the system. glibc keeps freed pages unless they lie at the end
//! of a heap, where those of a crowd that has left rarely all do. No crate has a safe call for it.

#![allow(unsafe_code)]

/// Gives freed pages back to the system. It holds each heap while it walks it, so it is nothing for busy times. Other
/// allocators than glibc's see to this themselves.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer; it may be called at any time and from any thread (MT-Safe in malloc_trim(3)), and
    // gives back only pages that no allocation is on.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_is_given_back() {
        // What the process has for itself, in kB.
        let anonymous = || -> usize {
            let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let mut all: Vec<_> = (0..64 * 1024).map(|_| vec![1_u8; 1024]).collect();
        // One is left at the end of the heap, so that it cannot shrink.
        let last = all.pop();
        drop(all);
        let before = anonymous();
        give_back_memory();
        let after = anonymous();
        // A sanitizer brings an allocator of its own, which has nothing to give.
        let is_glibcs = std::env::var_os("VESTIBULE_SANITIZED").is_none();
        assert!(!is_glibcs || after + 32 * 1024 < before, "{before} kB before, {after} kB after");
        drop(last);
    }
}
