//! The `tollgate` program.

use std::process::ExitCode;

/// Heads and bodies come and go at a rate that the system's allocator takes more time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tollgate::cli::main()
}
