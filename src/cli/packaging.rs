//! What packages of wxgate contain: completions and man pages.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use wxgate::texts::text;

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
            let folder = folder.display();
            Failure::run(text!("could not write man pages to {folder}: {error}", folder, error).to_string())
        });
    }
    let mut text = Vec::new();
    Man::new(command).render(&mut text).map_err(Failure::run)?;
    print(&String::from_utf8_lossy(&text))
}
