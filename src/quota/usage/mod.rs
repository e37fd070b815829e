//! What WeChat says was used.
//!
//! | file | holds |
//! | --- | --- |
//! | `figures` | what it said, as replicas note it for each other; what to ask next |
//! | `pace` | when a quota will be used up |
//! | `standing` | what there is to say of an endpoint |
//! | `warning` | how an operator is told |

pub(super) mod figures;
pub(super) mod pace;
pub(super) mod standing;
pub(super) mod warning;
