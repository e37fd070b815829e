//! Interim responses (1xx), of which a host may send some, but not without end.

use std::io;

use super::http1::{Fault, MOST_INTERIM};

/// Of a status line, before its status: `HTTP/1.1 `.
const BEFORE_STATUS: u8 = 9;

/// Counts them in the bytes of an exchange.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interim {
    seen: u8,
    place: InterimState,
}

#[derive(Clone, Copy, Debug)]
enum InterimState {
    /// Within a status line, before its status: so many bytes of it.
    Before(u8),
    /// Within the head of one, behind its status.
    Head {
        /// Nothing but a line's end has come of the line.
        blank: bool,
    },
    /// The final response has begun.
    Over,
}

impl Default for InterimState {
    fn default() -> Self {
        Self::Before(0)
    }
}

impl Interim {
    /// Takes the next bytes; fails at the first one too many.
    pub(super) fn see(&mut self, bytes: &[u8]) -> io::Result<()> {
        // As nearly every response comes.
        if let (InterimState::Before(0), [b'H', _, _, _, _, _, _, _, _, b'2'..=b'5', ..]) =
            (self.place, bytes)
        {
            self.place = InterimState::Over;
        }
        for byte in bytes {
            self.place = match (self.place, byte) {
                (InterimState::Over, _) => break,
                (InterimState::Before(0), b'\r' | b'\n') => InterimState::Before(0),
                (InterimState::Before(BEFORE_STATUS), b'1') if self.seen == MOST_INTERIM => {
                    return Err(io::Error::other(Fault::TooManyInterim(MOST_INTERIM)));
                }
                (InterimState::Before(BEFORE_STATUS), b'1') => {
                    self.seen += 1;
                    InterimState::Head { blank: false }
                }
                (InterimState::Before(BEFORE_STATUS), _) => InterimState::Over,
                (InterimState::Before(so_far), _) => InterimState::Before(so_far + 1),
                (InterimState::Head { blank: true }, b'\n') => InterimState::default(),
                (InterimState::Head { .. }, b'\n') => InterimState::Head { blank: true },
                (InterimState::Head { blank }, b'\r') => InterimState::Head { blank },
                (InterimState::Head { .. }, _) => InterimState::Head { blank: false },
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Interim, MOST_INTERIM};

    const ONE: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    const ANSWER: &str = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 is content";

    #[test]
    fn as_many_as_are_allowed_are_read_however_they_come() {
        let most = usize::from(MOST_INTERIM);
        for (text, taken) in [
            (format!("{}{ANSWER}", ONE.repeat(most)), true),
            (ONE.repeat(most), true),
            (format!("{}{ANSWER}", ONE.repeat(most + 1)), false),
            ("HTTP/1.1 100 Continue\n\n".repeat(most + 1), false),
            (format!("\r\n{}", ONE.repeat(most + 1)), false),
            (ANSWER.repeat(most + 2), true),
        ] {
            for piece in [1, 2, 7, 40, text.len()] {
                let mut interim = Interim::default();
                let outcome = text.as_bytes().chunks(piece).try_for_each(|piece| interim.see(piece));
                assert_eq!(outcome.is_ok(), taken, "{piece}: {text}");
            }
        }
    }
}
