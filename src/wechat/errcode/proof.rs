//! What errcodes prove about the token of a request.

/// What WeChat's response proves about the token of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// WeChat took it.
    Alive,
    /// WeChat doesn't take it.
    Dead,
    /// The response proves nothing.
    Undecided,
}

/// What the top-level errcodes of WeChat's responses prove about one family of tokens.
///
/// The same codes on user OAuth endpoints concern the user's token, and 40001 at a token endpoint
/// the app secret, as it does everywhere at WeCom.
#[derive(Debug)]
pub struct TokenCodes {
    /// WeChat doesn't take the token.
    pub dead: &'static [i64],
}

/// WeChat checks the token before the quota (45009), the permission (48001), whether the user takes
/// messages (48002), and which endpoint is asked about (76021, 76022).
const ALIVE: [i64; 6] = [0, 45009, 48001, 48002, 76021, 76022];

/// Whether an answer of this errcode to a call for a credential may come of a dead token and proves
/// nothing by itself: WeChat's "system error hints", which a ticket was refused with until there
/// was another token (github.com/w7corp/easywechat/issues/1780).
pub fn casts_doubt(errcode: i64) -> bool {
    errcode == -1000
}

impl TokenCodes {
    /// Of the official platform's tokens.
    pub const API: Self = Self { dead: &[40001, 40014, 42001] };
    /// Of a WeCom app's.
    pub const WORK: Self = Self { dead: &[40014, 42001] };
    /// Of a WeCom suite's and a WeCom provider's.
    pub const WORK_PROVIDER: Self = Self { dead: &[40082, 42009] };

    /// What the top-level errcode of a JSON object proves; none is success.
    pub fn proof(&self, errcode: Option<i64>) -> Proof {
        match errcode {
            None => Proof::Alive,
            Some(code) if self.dead.contains(&code) => Proof::Dead,
            Some(code) if ALIVE.contains(&code) => Proof::Alive,
            Some(_) => Proof::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Proof, TokenCodes};

    #[test]
    fn what_each_errcode_proves_of_each_family_of_tokens() {
        use Proof::{Alive, Dead, Undecided};
        for (code, main, work, provider) in [
            (None, Alive, Alive, Alive),
            (Some(0), Alive, Alive, Alive),
            (Some(45009), Alive, Alive, Alive),
            (Some(48001), Alive, Alive, Alive),
            (Some(48002), Alive, Alive, Alive),
            (Some(76021), Alive, Alive, Alive),
            (Some(76022), Alive, Alive, Alive),
            // A wrong secret, at WeCom.
            (Some(40001), Dead, Undecided, Undecided),
            (Some(40014), Dead, Dead, Undecided),
            (Some(42001), Dead, Dead, Undecided),
            (Some(40082), Undecided, Undecided, Dead),
            (Some(42009), Undecided, Undecided, Dead),
            // A company's codes with a suite, and a suite's ticket.
            (Some(40078), Undecided, Undecided, Undecided),
            (Some(40084), Undecided, Undecided, Undecided),
            (Some(40085), Undecided, Undecided, Undecided),
            // The request lacks the token, WeChat is busy, a minute's limit, an address that isn't
            // listed.
            (Some(41001), Undecided, Undecided, Undecided),
            (Some(-1), Undecided, Undecided, Undecided),
            (Some(-1000), Undecided, Undecided, Undecided),
            (Some(45011), Undecided, Undecided, Undecided),
            (Some(40164), Undecided, Undecided, Undecided),
        ] {
            let proofs =
                [TokenCodes::API, TokenCodes::WORK, TokenCodes::WORK_PROVIDER].map(|codes| codes.proof(code));
            assert_eq!(proofs, [main, work, provider], "{code:?}");
        }
    }
}
