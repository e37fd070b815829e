//! WeChat's vocabulary, without I/O: account kinds, the endpoint catalogue, error codes,
//! placeholders, refresh tokens in answers, signing, pushes.
//!
//! What tells one kind, credential or token call from another is a row of a table: code elsewhere
//! asks for the property.
//!
//! | file | a row for each |
//! | --- | --- |
//! | `kind` | kind of account |
//! | `issuer` | credential that wxgate keeps |
//! | `ticket` | ticket for web pages |
//! | `token_endpoint` | call that hands out a token |
//! | `catalogue/class` | class of credential that endpoints want |
//! | `catalogue/catalogue.tsv` | endpoint |

pub mod callback;
pub mod catalogue;
pub mod errcode;
mod family;
mod issuer;
mod json;
pub mod jssdk;
mod kind;
pub mod pattern;
pub mod placeholder;
pub mod refresh_tokens;
pub mod signing;
mod ticket;
mod token_endpoint;

pub use family::Family;
pub use issuer::{Issuer, Probe, TokenMode};
pub use kind::AppKind;
pub use ticket::TicketKind;
pub use token_endpoint::{Form, TokenEndpoint};
