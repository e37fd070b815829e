//! The shipped configuration of version 0.1.0, and those of its own tests, which have every key.

use wxgate::config::Config;

use super::folder;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "SHOP_SECRET" | "CANARY" => "0123456789abcdef0123456789abcdef",
        "ADMIN_TOKEN" => "correct-horse-battery-staple",
        "SEAL_KEY" => super::SEAL_KEY,
        "FORMER_SEAL_KEY" => "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "AES_KEY" => "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn the_configurations_of_version_0_1_0_are_taken_with_warnings_at_most() {
    let folder = folder().join("configurations");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 6);
    let prefix = format!("{}/", folder.display());
    let mut told = String::new();
    for name in names {
        let path = folder.join(&name);
        let text = std::fs::read_to_string(&path).unwrap();
        let config = Config::parse(&text, path.to_str().unwrap(), &env);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        for warning in config.warnings {
            told += warning.to_string().strip_prefix(&prefix).unwrap();
            told.push('\n');
        }
    }
    assert_eq!(told, std::fs::read_to_string(folder.join("warnings.txt")).unwrap_or_default(), "{told}");
}
