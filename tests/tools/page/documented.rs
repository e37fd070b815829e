//! The pictures of the status page in the READMEs and the books.

use std::path::{Path, PathBuf};

use super::{TOKEN, busy, drawn, is_clean, shown};

/// As wide as a README shows it, and as high as it takes to see an app's quotas.
const SIZE: (u32, u32) = (1280, 1000);
/// Bytes of a picture at most: whoever opens the README waits for it.
const LARGEST: usize = 250_000;

fn committed(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{language}/images/status-page.png"))
}

/// Whether this machine has a font with Chinese in it: without one all characters are the same
/// empty box.
const READS_CHINESE: &str = "(() => {
    const drawn = (text) => {
        const pen = new OffscreenCanvas(40, 40).getContext('2d');
        pen.font = '20px sans-serif';
        pen.fillText(text, 5, 30);
        return pen.getImageData(0, 0, 40, 40).data.join();
    };
    return drawn('微') !== drawn('信');
})()";

/// Width and height, from a PNG's head.
fn size(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    (png.starts_with(b"\x89PNG\r\n\x1a\n") && png.get(12..16)? == b"IHDR")
        .then_some((number(16)?, number(20)?))
}

#[tokio::test]
async fn the_pictures_in_the_documentation_are_of_this_page() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.prefer("light").await;
    browser.resize(SIZE.0, SIZE.1).await;
    browser.hide_scrollbars().await;
    for (language, words) in [("en", "Quota today"), ("zh", "今日配额")] {
        if language == "zh" {
            browser.click("#language").await;
        }
        browser.until_shown("[data-app=shop] .quota", words).await;
        drawn(&mut browser).await;
        let seen = browser.screen().await;
        if std::env::var_os("REGENERATE").is_some() {
            let readable = browser.evaluate(READS_CHINESE).await;
            assert_eq!(readable, true, "no Chinese font is installed: fonts-noto-cjk has one");
            std::fs::write(committed(language), &seen).expect("written");
        }
        // Fonts differ from machine to machine, so the pixels aren't compared.
        let kept = std::fs::read(committed(language)).expect("a picture; `./x pages` makes it");
        assert_eq!(size(&kept), Some(SIZE), "{language}");
        assert_eq!(size(&seen), Some(SIZE), "{language}");
        assert!(kept.len() < LARGEST, "{language}: {} bytes", kept.len());
    }
    is_clean(&mut browser, &setup).await;
}
