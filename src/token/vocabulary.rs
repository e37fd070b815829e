//! Stand-ins until the vocabulary of `wechat` lands.
pub mod errcode {
    pub struct Meaning {
        pub remedy: &'static str,
    }
    pub fn rejects_token(code: i64) -> bool {
        matches!(code, 40001 | 40014 | 42001)
    }
    pub fn permanent_at_token_endpoint(code: i64) -> bool {
        matches!(
            code,
            40001
                | 40002
                | 40013
                | 40125
                | 40164
                | 40243
                | 41002
                | 41004
                | 43002
                | 45009
                | 48004
                | 50007
                | 89500..=89599
        )
    }
    pub fn explain(code: i64) -> Option<Meaning> {
        (code == 40125).then_some(Meaning { remedy: "correct the secret" })
    }
    pub fn whitelist_address(text: &str) -> Option<&str> {
        text.strip_prefix("invalid ip ")?.split(' ').next()
    }
}
pub mod placeholder {
    pub fn looks_like(text: &str) -> bool {
        text.starts_with("wxgate-")
    }
}
pub mod verdict {
    pub struct Scan {
        pub errcode: Option<i64>,
    }
    pub fn scan(body: &[u8]) -> Scan {
        let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        Scan { errcode: value.and_then(|v| v.get("errcode").and_then(|c| c.as_i64())) }
    }
}
