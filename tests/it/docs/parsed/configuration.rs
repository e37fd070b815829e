//! TOML is read as `wxgate check` reads it, in a place where the files and variables that it names
//! exist.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wxgate::config::Config;
use wxgate::sandbox::PLATFORM_CERTIFICATES;

use crate::signed_call::PRIVATE_KEY;

/// What a block that shows some tables alone leaves out.
const APP: &str =
    "\n[[app]]\nname = \"shop\"\nappid = \"wx0123456789abcdef\"\nsecret = { env = \"SHOP_SECRET\" }\n";

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The folders that configurations name.
const FOLDERS: [&str; 3] = ["/run/secrets/", "/etc/wxgate/", "/srv/shop/"];

/// A folder in place of those.
pub(in super::super) struct StandIns {
    folder: tempfile::TempDir,
    certificate: String,
    key: String,
}

impl StandIns {
    pub(in super::super) fn new() -> Self {
        // Closed to others, as the folders of secrets are that it stands for.
        let closed = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(closed).tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(vec!["api.weixin.qq.com".to_owned()]).unwrap();
        Self { folder, certificate: certified.cert.pem(), key: certified.signing_key.serialize_pem() }
    }

    /// Reads a configuration, or the part of one that a page shows; a warning is a problem too.
    pub(in super::super) fn load(&self, text: &str) -> Result<(), String> {
        let mut text = self.placed(text).replace("PASTE", &"0123456789abcdef".repeat(4));
        if !text.contains("[[app]]") {
            text.push_str(APP);
        }
        let config =
            Config::parse(&text, "wxgate.toml", &variable).map_err(|problems| problems.to_string())?;
        let mut warnings = String::new();
        for warning in &config.warnings {
            let _ = writeln!(warnings, "{warning}");
        }
        if warnings.is_empty() { Ok(()) } else { Err(warnings) }
    }

    /// The text with a folder of ours for those it names; the files are made.
    fn placed(&self, text: &str) -> String {
        let ours = self.folder.path();
        for folder in FOLDERS {
            for (at, _) in text.match_indices(folder) {
                let name = text[at..].split(['"', '\'', ' ', '\n']).next().unwrap();
                let path = ours.join(&name[1..]);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                self.fill(&path);
            }
        }
        FOLDERS.into_iter().fold(text.to_owned(), |text, folder| {
            text.replace(folder, &format!("{}{folder}", ours.display()))
        })
    }

    fn fill(&self, path: &Path) {
        let content = match path.extension().and_then(|extension| extension.to_str()) {
            Some("pem") if path.ends_with("shop-sign.pem") => PRIVATE_KEY,
            Some("pem") if path.to_string_lossy().contains("wechat") => PLATFORM_CERTIFICATES[0].certificate,
            Some("pem" | "crt") => &self.certificate,
            Some("key") => &self.key,
            // What wxgate is to write.
            Some("properties" | "json" | "token") => return,
            _ => &format!("{SECRET}\n"),
        };
        std::fs::write(path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A value of the kind that the variable's name promises.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        "SHOP_AES_KEY" => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        name if name.ends_with("_AES_KEY") => "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".to_owned(),
        name if name.ends_with("SEAL_KEY") => SECRET.repeat(2),
        name if name.ends_with("_URL") => "https://robot.example/send?key=k".to_owned(),
        name if name.ends_with("_SECRET") => SECRET.to_owned(),
        name if name.ends_with("_TOKEN") || name.ends_with("_PASSWORD") => {
            "correct-horse-battery-staple".to_owned()
        }
        _ => return None,
    };
    Some(value)
}
