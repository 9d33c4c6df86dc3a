//! The `yingda` program: parses the command line and calls the library.

use std::process::ExitCode;

/// Gives back what is freed: with the system's allocator an idle hub kept four times the memory that it used.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    yingda::cli::run(std::env::args_os())
}
