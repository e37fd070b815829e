//! A path that passes has one reading: as the guards see it.

use wxgate::message::path::check;
use wxgate::wechat::catalogue::{find, find_work, normalise};

pub fn run(bytes: &[u8]) {
    let Ok(path) = std::str::from_utf8(bytes) else { return };
    let normal = normalise(path);
    assert_eq!(normalise(&normal), normal);
    if check(path).is_ok() {
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
        for find in [find, find_work] {
            let (exact, folded) = (find(path), find(&normal));
            assert_eq!((exact.class, exact.guarded), (folded.class, folded.guarded));
        }
    }
}
