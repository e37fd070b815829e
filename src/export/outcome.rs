//! What came of writing a token.

/// What another program had written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A token that is only good at wxgate's door.
    Placeholder,
    /// Anything else.
    Other,
}

/// What came of writing.
#[derive(Debug)]
pub(super) enum Put {
    /// It is there now, possibly in place of what another program wrote.
    Written(Option<Found>),
    /// It was there.
    Unchanged,
    /// A newer token is there, which another process wrote.
    Newer,
}
