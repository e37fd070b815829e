//! Why a record is not accepted.

/// Why a record is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is in clear although there is a key.
    Unsealed,
    /// It was sealed with a key that isn't configured.
    UnknownKey,
    /// It, or what is authenticated with it, was changed.
    BrokenSeal,
    /// It can't be read, or has impossible values.
    Damaged,
    /// A later version wrote it.
    Format,
}

impl Refusal {
    pub(super) const ALL: [Self; 5] =
        [Self::Unsealed, Self::UnknownKey, Self::BrokenSeal, Self::Damaged, Self::Format];

    /// In snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsealed => "unsealed",
            Self::UnknownKey => "unknown_key",
            Self::BrokenSeal => "broken_seal",
            Self::Damaged => "damaged",
            Self::Format => "format",
        }
    }
}
