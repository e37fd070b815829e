//! The signature by which a web page may use WeChat's JS-SDK.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::observe::hex::hex;
use crate::secret::Secret;

/// The `signature` for `wx.config`: SHA-1 in hex of the four values, in the order of their names
/// (developers.weixin.qq.com, "JS-SDK使用权限签名算法"). `url` is the page's, without `#` and what follows.
pub fn signature(ticket: &Secret, nonce: &str, timestamp: i64, url: &str) -> String {
    let text = format!("jsapi_ticket={}&noncestr={nonce}&timestamp={timestamp}&url={url}", ticket.expose());
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// Whether the text that is signed for this page is another page's too, with another nonce and
/// timestamp: nothing in it marks where a value ends.
pub fn reads_as_two(url: &str) -> bool {
    let mut behind = url.split("&timestamp=").skip(1);
    behind.any(|rest| {
        let value = rest.find('&').unwrap_or(rest.len());
        rest.get(value..).is_some_and(|next| next.starts_with("&url="))
    })
}

#[cfg(test)]
mod tests {
    use super::signature;
    use crate::secret::Secret;

    #[test]
    fn wechats_own_example_is_signed_alike() {
        let ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg";
        let sign = |url| signature(&Secret::new(ticket), "Wm3WZYTPz0wzccnW", 1_414_587_457, url);
        assert_eq!(sign("http://mp.weixin.qq.com"), "f4d90daf4b3bca3078ab155816175ba34c443a7b");
        assert_eq!(sign("http://mp.weixin.qq.com?params=value"), "0f9de62fce790f9a083d5c99e95740ceb90c27ed");
    }
}
