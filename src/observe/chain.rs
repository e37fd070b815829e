//! An error and what caused it.

use std::error::Error;
use std::fmt;

/// Prints an error with its causes in one line: `cannot connect to host: Connection refused`.
///
/// A cause that repeats the end of what is printed already is left out: a Redis error is its own
/// cause.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'e>(pub &'e (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        for cause in causes(self.0) {
            let cause = cause.to_string();
            if !last.ends_with(&cause) {
                write!(f, ": {cause}")?;
                last = cause;
            }
        }
        Ok(())
    }
}

/// The causes of an error, the nearest first.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'e (dyn Error + 'static)| (*cause).source())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Chain;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed<E: std::error::Error + 'static> {
        text: &'static str,
        source: E,
    }

    #[test]
    fn causes_follow_in_one_line_and_none_is_said_twice() {
        let refused = io::Error::other("refused");
        let error = Failed { text: "no call", source: Failed { text: "no connection", source: refused } };
        assert_eq!(Chain(&error).to_string(), "no call: no connection: refused");

        let refused = io::Error::other("refused");
        let error = Failed { text: "no call: refused", source: Failed { text: "refused", source: refused } };
        assert_eq!(Chain(&error).to_string(), "no call: refused");
    }
}
