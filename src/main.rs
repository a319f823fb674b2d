//! The `vestibule` command: arguments in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::cli::main()
}
