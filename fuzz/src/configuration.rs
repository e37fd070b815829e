//! Any text is a configuration or is refused with words that show no secret.

use wxgate::config::Config;

const SECRET: &str = "canary-of-the-environment-5b1c";

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let env = |_: &str| Some(SECRET.to_owned());
    let told = match Config::parse(text, "fuzz.toml", &env) {
        Ok(config) => format!("{config:?}"),
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused without a reason");
            format!("{problems} {problems:?}")
        }
    };
    assert!(!told.contains(SECRET), "{told}");
}
