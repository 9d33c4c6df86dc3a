//! The `yingda` program: parses the command line and calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    yingda::cli::run(std::env::args_os())
}
