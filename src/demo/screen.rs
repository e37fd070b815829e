//! The tour on a terminal of 80 columns.

use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;

use crate::app::layout::{WIDTH, columns, wrap};
use crate::texts::text;

/// Where the text of a step begins.
const INDENT: usize = 3;
/// The column of labels.
const LABEL: usize = 14;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";

/// How the tour is shown.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// With colour and bold type.
    pub colour: bool,
    /// Time to read between two steps.
    pub pause: Duration,
}

/// Writes the tour to stdout as it goes.
pub(super) struct Screen {
    show: Show,
    steps: usize,
    claims: usize,
    failures: usize,
}

impl Screen {
    pub(super) fn new(show: Show) -> Self {
        Self { show, steps: 0, claims: 0, failures: 0 }
    }

    /// Claims that turned out false so far.
    pub(super) fn failures(&self) -> usize {
        self.failures
    }

    /// Time to read.
    pub(super) fn pause(&self) -> Duration {
        self.show.pause
    }

    /// Begins a step.
    pub(super) fn step(&mut self, title: impl Display) {
        self.steps += 1;
        self.line("");
        self.bold(format!("{}. {title}", self.steps));
    }

    /// A headline.
    pub(super) fn bold(&self, text: impl Display) {
        self.line(&self.painted(BOLD, &text.to_string()));
    }

    /// What happens, in a sentence.
    pub(super) fn say(&self, text: impl Display) {
        for line in wrap(&text.to_string(), WIDTH - INDENT) {
            self.line(&format!("{:INDENT$}{line}", ""));
        }
    }

    /// A label, and what was seen; an empty label continues the one before.
    pub(super) fn show(&self, label: impl Display, text: impl Display) {
        let label = label.to_string();
        let gap = " ".repeat(LABEL.saturating_sub(columns(&label)));
        let mut label = self.painted(DIM, &format!("{label}{gap}"));
        for line in wrap(&text.to_string(), WIDTH - INDENT - LABEL) {
            self.line(&format!("{:INDENT$}{label}{line}", ""));
            label = " ".repeat(LABEL);
        }
    }

    /// A claim, and whether it held.
    pub(super) fn check(&mut self, holds: bool, claim: impl Display) {
        let (mark, colour) =
            if holds { ("✓".to_owned(), GREEN) } else { (text!("✗ NOT SO:").to_string(), RED) };
        self.claims += 1;
        self.failures += usize::from(!holds);
        let lead = columns(&mark) + 1;
        let mut mark = format!("{} ", self.painted(colour, &mark));
        for line in wrap(&claim.to_string(), WIDTH - INDENT - lead) {
            self.line(&format!("{:INDENT$}{mark}{line}", ""));
            mark = " ".repeat(lead);
        }
    }

    /// How many claims there were, and whether all held.
    pub(super) fn sum_up(&self) {
        self.line("");
        let (held, claims) = (self.claims - self.failures, self.claims);
        let (result, colour) =
            if self.failures == 0 { (text!("All held"), GREEN) } else { (text!("NOT ALL HELD"), RED) };
        let result = self.painted(colour, &result.to_string());
        self.line(&text!("{result}: {held} of {claims} claims.", result, held, claims).to_string());
    }

    /// A line as it is: something to paste.
    pub(super) fn line(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        // A reader that left early does not stop the demo.
        let _ = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.show.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
