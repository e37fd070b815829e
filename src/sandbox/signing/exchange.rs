//! What signature and encryption are bound to, in either direction.

/// The URL and the moment of a request or of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange<'a> {
    pub path: &'a str,
    pub appid: &'a str,
    pub timestamp: i64,
}

impl Exchange<'_> {
    /// The text that is signed: no line end behind the body, and no serial (with it WeChat answers
    /// 40234, WxJava#3780).
    pub(super) fn signed_text(&self, body: &[u8]) -> Vec<u8> {
        let head = format!("{}\n{}\n{}\n", self.url(), self.appid, self.timestamp);
        [head.as_bytes(), body].concat()
    }

    /// What the encryption authenticates besides the plaintext; `sn` is the AES key's number.
    pub(super) fn associated_data(&self, sn: &str) -> Vec<u8> {
        format!("{}|{}|{}|{sn}", self.url(), self.appid, self.timestamp).into_bytes()
    }

    /// WeChat's own URL without the query, under whichever name it was called.
    fn url(&self) -> String {
        format!("https://api.weixin.qq.com{}", self.path)
    }
}
