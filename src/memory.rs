//! Memory that is needed for a moment only, as for reading a configuration.

/// Gives what this thread has freed back to the system at once. The allocator would keep it for a second, and
/// for ever in a process that then does little: with 10,000 clients three times as much as is in use.
pub(crate) fn give_back() {
    // SAFETY: it takes no pointers, and may be called at any time on any thread.
    #[expect(unsafe_code, reason = "the allocator has no other way to say so")]
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
