//! A path that passes has one reading: as the guards see it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wxgate::message::path::check;
use wxgate::wechat::catalogue::normalise;
use wxgate::wechat::catalogue::{find, find_work};

fuzz_target!(|path: &str| {
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
});
