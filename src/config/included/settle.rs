//! Which of the included files are taken, and which stay as they were.
//!
//! A reload tries the files as they are. While there are errors, a changed file that has one is
//! put back to what is in force; what several files contradict each other about is held against
//! those that changed. A file that is gone, or has an app less, is put back if another one still
//! names what would be missing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::Added;
use super::folder::{self, Listing, Present};
use super::state::{Included, IncludedFile, Kept, Watched};
use super::trial::{Main, Outside, Part, Trial, shown, together};
use crate::config::options::Config;
use crate::config::reader::problem::{Problem, Problems, Severity};
use crate::config::reader::secrets::{Remembered, SecretFile};
use crate::texts::{Words, words};

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It is taken as it is now.
    Present,
    /// What is in force stays.
    Former,
    /// It adds nothing.
    Nothing,
}

/// A file, as it is now and as it is in force.
struct Choice<'f> {
    path: PathBuf,
    present: Option<Present>,
    former: Option<&'f IncludedFile>,
    now: Use,
    problems: Vec<Problem>,
}

impl Choice<'_> {
    /// Whether what it says is in force already.
    fn is_unchanged(&self) -> bool {
        self.present.as_ref().is_some_and(|present| {
            present.fault.is_none() && self.former.is_some_and(|former| former.is_as(&present.text))
        })
    }

    fn kept(&self) -> Option<&Arc<Kept>> {
        self.former?.kept.as_ref()
    }

    /// Puts back what is in force.
    fn put_back(&mut self, problems: Vec<Problem>) {
        self.now = if self.kept().is_some() { Use::Former } else { Use::Nothing };
        self.problems = problems;
    }

    fn part(&self) -> Option<Part<'_>> {
        match self.now {
            Use::Nothing => None,
            Use::Present => self.present.as_ref().map(|present| Part {
                path: &self.path,
                text: &present.text,
                fault: present.fault.as_ref(),
                remembered: None,
            }),
            Use::Former => self.kept().map(|kept| Part {
                path: &kept.path,
                text: &kept.text,
                fault: None,
                remembered: Some(&kept.secrets),
            }),
        }
    }
}

/// The configuration, and whether it has all its secrets.
///
/// # Errors
/// At a start, with nothing in force, every problem of all files. At a reload those of the main
/// file, and of files in force that don't go with it.
pub(in crate::config) fn settle(
    main: &Main<'_>,
    former: Option<&Included>,
    outside: Outside<'_>,
) -> Result<(Config, bool), Problems> {
    let globs = main.globs();
    let mut listing = folder::read(&globs, Path::new(main.name));
    let seen = listing.digests();
    let mut choices = choices(&mut listing, former);
    let mut secret_files = Vec::new();
    let mut run = |choices: &[Choice<'_>], is_in_force_first: bool| {
        let mut order: Vec<usize> =
            (0..choices.len()).filter(|at| choices[*at].now != Use::Nothing).collect();
        if is_in_force_first {
            let is_new = |at: &usize| choices[*at].now == Use::Present && !choices[*at].is_unchanged();
            order.sort_by_key(is_new);
        }
        let parts: Vec<_> = order.iter().filter_map(|at| choices[*at].part()).collect();
        let mut trial = Trial::run(main, &listing.unlisted, &parts, outside);
        secret_files.append(&mut trial.secret_files);
        (trial, order)
    };
    let (mut trial, mut order) = run(&choices, false);
    if let Some(former) = former {
        while !trial.is_good() || loses_default(former, &trial.config) {
            let is_good = trial.is_good();
            (trial, order) = run(&choices, true);
            let better = match is_good && trial.is_good() {
                true => put_back_for_default(&mut choices, former, &trial, &order),
                false => {
                    put_back_needed(&mut choices, &trial, &order)
                        || put_back_wrong(&mut choices, &trial, &order)
                }
            };
            if !better {
                break;
            }
            (trial, order) = run(&choices, false);
        }
    }
    if !trial.is_good() {
        return Err(trial.refuse());
    }
    let watched = match globs.is_empty() {
        true => Watched::default(),
        false => Watched { main: PathBuf::from(main.name), globs, seen },
    };
    Ok(settled(trial, &order, choices, watched, together(secret_files)))
}

/// All files that are there, or in force.
fn choices<'f>(listing: &mut Listing, former: Option<&'f Included>) -> Vec<Choice<'f>> {
    let former = former.map_or(&[][..], |former| &former.files);
    let mut in_force: HashMap<&Path, &IncludedFile> =
        former.iter().map(|file| (Path::new(&*file.path), file)).collect();
    let mut choices: Vec<_> = std::mem::take(&mut listing.files)
        .into_iter()
        .map(|present| Choice {
            path: present.path.clone(),
            former: in_force.remove(&*present.path),
            present: Some(present),
            now: Use::Present,
            problems: Vec::new(),
        })
        .collect();
    for (path, file) in in_force {
        let mut choice = Choice {
            path: path.to_owned(),
            present: None,
            former: Some(file),
            now: Use::Nothing,
            problems: Vec::new(),
        };
        // A folder that isn't there is more likely lost than emptied.
        let folder = listing.unlisted.iter_mut().find(|unlisted| Some(&*unlisted.folder) == path.parent());
        if let Some(folder) = folder {
            folder.is_fatal = false;
            choice.put_back(vec![of_file(path, folder.why.clone())]);
        }
        choices.push(choice);
    }
    choices.sort_by(|one, other| one.path.cmp(&other.path));
    choices
}

/// Puts back files that lack what others name, which haven't changed. Whether there were any.
fn put_back_needed(choices: &mut [Choice<'_>], trial: &Trial, order: &[usize]) -> bool {
    let mut found = false;
    for stranger in &trial.strangers {
        let by = stranger.place.file.checked_sub(1).and_then(|part| order.get(part));
        if by.is_some_and(|by| choices[*by].now == Use::Present && !choices[*by].is_unchanged()) {
            continue;
        }
        let is_it = |choice: &&Choice<'_>| {
            choice.now != Use::Former
                && choice.former.and_then(IncludedFile::added).is_some_and(|added| added.has(&stranger.name))
        };
        let Some(choice) = choices.iter().find(is_it) else { continue };
        let path = choice.path.clone();
        let named = |(file, problem): &&(usize, Problem)| {
            *file == stranger.place.file && problem.key == stranger.place.key
        };
        let Some((_, by)) = trial.errors().find(named) else { continue };
        let place = place(by);
        let words = match choice.present.is_some() {
            true => {
                words!("no longer has {name}, which is still named at {place}", name = stranger.name, place)
            }
            false => words!(
                "the file is gone, but its {name} is still named at {place}",
                name = stranger.name,
                place
            ),
        };
        // What is wrong in the file itself is why it lacks the name.
        let part = order.iter().position(|at| choices[*at].path == path).map(|part| part + 1);
        let own = trial.errors().filter(|(file, _)| Some(*file) == part);
        let mut problems: Vec<_> = own.map(|(_, problem)| problem.clone()).collect();
        if problems.is_empty() {
            problems.push(of_file(&path, words));
        }
        if let Some(choice) = choices.iter_mut().find(|choice| choice.path == path) {
            choice.put_back(problems);
        }
        found = true;
    }
    found
}

/// Puts back files that have errors. Whether there were any.
fn put_back_wrong(choices: &mut [Choice<'_>], trial: &Trial, order: &[usize]) -> bool {
    let mut found = false;
    for (part, at) in order.iter().enumerate() {
        let choice = &mut choices[*at];
        if choice.now != Use::Present {
            continue;
        }
        let errors = trial.errors().filter(|(file, _)| *file == part + 1);
        let errors: Vec<_> = errors.map(|(_, problem)| problem.clone()).collect();
        if !errors.is_empty() {
            choice.put_back(errors);
            found = true;
        }
    }
    found
}

/// Whether there would be no default app any more although there was one. A single app is it by
/// itself.
fn loses_default(former: &Included, config: &Config) -> bool {
    let Some((name, identity)) = &former.default_app else { return false };
    let apps = &config.pipeline.apps;
    let says_so = apps.iter().any(|app| {
        (app.token.name == *name || app.token.identity() == *identity) && app.default == Some(false)
    });
    config.pipeline.default_app().is_none() && !says_so
}

/// Puts back files whose apps take the default away: new ones, else the one that had it. Whether
/// there were any.
fn put_back_for_default(
    choices: &mut [Choice<'_>],
    former: &Included,
    trial: &Trial,
    order: &[usize],
) -> bool {
    let Some((name, _)) = &former.default_app else { return false };
    let mut found = false;
    for (part, at) in order.iter().enumerate() {
        let choice = &mut choices[*at];
        let Some((added, _)) = trial.read.get(part).filter(|_| choice.now == Use::Present) else { continue };
        let before = choice.former.and_then(IncludedFile::added);
        let is_new = |name: &str| before.is_none_or(|before| before.app(name).is_none());
        let Some(new) = added.apps.iter().find(|app| is_new(&app.name)) else { continue };
        let text = words!(
            "with this app, {name} would no longer serve requests that name no app: add `default = true` to the [[app]] \
             named {name}, or `default = false` for no default",
            name
        );
        let problem = Problem {
            position: trial.positions.get(&(part + 1, new.name.clone())).copied(),
            key: "app".to_owned(),
            ..of_file(&choice.path, text)
        };
        choice.put_back(vec![problem]);
        found = true;
    }
    let had_it = |choice: &&mut Choice<'_>| {
        choice.now != Use::Former
            && choice.former.and_then(IncludedFile::added).is_some_and(|added| added.app(name).is_some())
    };
    if !found && let Some(choice) = choices.iter_mut().find(had_it) {
        let text = words!(
            "app {name} serves requests that name no app, and there would be no default any more: for no default, set \
             `default = false` for {name} before you remove it",
            name
        );
        let problem = of_file(&choice.path, text);
        choice.put_back(vec![problem]);
        found = true;
    }
    found
}

fn settled(
    mut trial: Trial,
    order: &[usize],
    choices: Vec<Choice<'_>>,
    watched: Watched,
    secret_files: Vec<SecretFile>,
) -> (Config, bool) {
    let mut read: Vec<_> = choices.iter().map(|_| None).collect();
    for (at, part) in order.iter().zip(std::mem::take(&mut trial.read)) {
        read[*at] = Some(part);
    }
    let files = choices.into_iter().zip(read).filter_map(|(choice, read)| in_force(choice, read)).collect();
    let default_app = trial.config.pipeline.default_app();
    let default_app = default_app.map(|app| (Arc::clone(&app.token.name), app.token.identity()));
    let warnings = trial.problems.into_iter().map(|(_, problem)| problem).collect();
    let included = Included { files, watched, default_app };
    (Config { included, secret_files, warnings, ..trial.config }, trial.lacks_secrets)
}

/// What there is to know about a file from now on; none if it is gone.
fn in_force(choice: Choice<'_>, read: Option<(Added, Remembered)>) -> Option<IncludedFile> {
    let kept = match (choice.now, &choice.present, read) {
        (Use::Present, Some(present), Some((added, secrets))) => Some(Arc::new(Kept {
            path: choice.path.clone(),
            text: Arc::clone(&present.text),
            secrets,
            added,
        })),
        _ => choice.kept().cloned(),
    };
    let mut problems = choice.problems.into_iter();
    let problem = problems.next();
    if choice.now == Use::Nothing && problem.is_none() {
        return None;
    }
    let kept = kept.filter(|_| choice.now != Use::Nothing);
    Some(IncludedFile { path: shown(&choice.path), problem, more: problems.len(), kept })
}

/// A problem of a file that is nowhere in it.
fn of_file(path: &Path, text: Words) -> Problem {
    Problem { file: shown(path), position: None, key: String::new(), severity: Severity::Error, text }
}

/// Where a problem is.
fn place(problem: &Problem) -> String {
    let Problem { file, position, key, .. } = problem;
    match position {
        Some((line, column)) => format!("{file}:{line}:{column} ({key})"),
        None => file.to_string(),
    }
}
