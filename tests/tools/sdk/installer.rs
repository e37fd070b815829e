//! Runs installers.

use std::process::Command;

/// Runs a command to its end; what it said if it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program}: {}: {}", output.status, String::from_utf8_lossy(&said)))
}
