//! What packages of wxgate bring along: completions and man pages.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::failure::Failure;
use super::terminal::print;

/// The name that the shell completes.
const PROGRAM: &str = "wxgate";

/// Prints the completions of all commands for a shell.
pub(super) fn completions(shell: Shell, mut command: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, PROGRAM, &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Prints the man page of the program, or writes those of all commands into a folder.
pub(super) fn man(folder: Option<PathBuf>, command: Command) -> Result<(), Failure> {
    if let Some(folder) = folder {
        let written =
            std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(command, &folder));
        return written.map_err(|error| {
            Failure::run(format!("cannot write man pages into {}: {error}", folder.display()))
        });
    }
    let mut text = Vec::new();
    Man::new(command).render(&mut text).map_err(Failure::run)?;
    print(&String::from_utf8_lossy(&text))
}
