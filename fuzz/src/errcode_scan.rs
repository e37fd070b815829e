//! Any bytes are scanned without a panic, and a mark and white space before the object change nothing.

use wxgate::wechat::errcode;

pub fn run(body: &[u8]) {
    let scan = errcode::scan(body);
    if scan.errcode.is_some() {
        let spaced = [b"\xef\xbb\xbf \n", body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)].concat();
        assert_eq!(errcode::scan(&spaced), scan);
    }
    let _ = errcode::rid(body);
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = errcode::whitelist_address(text);
    }
}
