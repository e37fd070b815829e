//! Every key of the configuration, with what holds without it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use wxgate::config::{Config, Problems, known_keys};
use wxgate::sandbox::PLATFORM_CERTIFICATES;

use super::{Language, data, part, strings, table};
use crate::signed_call::{AES_KEY, PRIVATE_KEY};

/// `docs/reference/configuration.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    tables: BTreeMap<String, About>,
    keys: BTreeMap<String, BTreeMap<String, Key>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    en: String,
    zh: String,
    same_as: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    #[serde(default)]
    required: bool,
    default: Option<String>,
    beside: Option<String>,
    page: String,
    en: String,
    zh: String,
}

/// The tables that have keys of their own, each with these.
fn listed(data: &Data) -> impl Iterator<Item = (&'static str, &'static str, &Key)> {
    let own = known_keys().filter(|(name, _)| data.tables[*name].same_as.is_none());
    own.flat_map(move |(name, keys)| keys.iter().map(move |key| (name, *key, &data.keys[name][*key])))
}

/// A configuration, table by table: the least that is accepted, where `table` stands too.
#[derive(Clone)]
struct File(Vec<(&'static str, Vec<String>)>);

impl File {
    fn with(table: &'static str) -> Self {
        let mut file = Self(vec![(
            "[[app]]",
            vec![
                "name = 'shop'".into(),
                "appid = 'wx0123456789abcdef'".into(),
                "secret = { env = 'S' }".into(),
            ],
        )]);
        let lines: &[&str] = match table {
            "[[app]]" => return file,
            "[server.tls]" => &["cert = 'wxgate.pem'", "key = 'wxgate.key'"],
            "[app.signing]" => &[
                "aes_key = { env = 'AES_KEY' }",
                "aes_key_sn = '1'",
                "private_key = { env = 'OWN_KEY' }",
                "platform_certificate = 'platform.crt'",
                "platform_certificate_sn = '1'",
            ],
            "[trace]" => &["endpoint = 'http://127.0.0.1:4318'"],
            "[[caller]]" => &["name = 'orders'", "key_sha256 = 'PASTE'", "apps = ['shop']"],
            "[[limit]]" => &["rate = '50/s'"],
            "[[alert]]" => &["kind = 'webhook'", "url = { env = 'URL' }"],
            _ => &[],
        };
        let lines = lines.iter().map(|line| line.replace("PASTE", &"0123456789abcdef".repeat(4))).collect();
        // What stands above all tables has no name.
        let at = if table.is_empty() { 0 } else { file.0.len() };
        file.0.insert(at, (table, lines));
        file
    }

    fn lines(&mut self, table: &str) -> &mut Vec<String> {
        &mut self.0.iter_mut().find(|(name, _)| *name == table).expect("the table").1
    }

    /// Without a key.
    fn less(mut self, table: &str, key: &str) -> Self {
        self.lines(table).retain(|line| line.split(' ').next() != Some(key));
        self
    }

    /// With a line more; the key's own is replaced.
    fn set(self, table: &str, line: &str) -> Self {
        let mut file = self.less(table, line.split(' ').next().expect("a key"));
        file.lines(table).push(line.to_owned());
        file
    }

    fn parse(&self, folder: &Path) -> Result<Config, Problems> {
        let tables = self.0.iter().map(|(name, lines)| format!("{name}\n{}\n", lines.join("\n")));
        let env = |name: &str| match name {
            "URL" => Some("https://robot.example/send".to_owned()),
            "AES_KEY" => Some(AES_KEY.to_owned()),
            "OWN_KEY" => Some(PRIVATE_KEY.to_owned()),
            _ => Some("0123456789abcdef0123456789abcdef".to_owned()),
        };
        let file = folder.join("wxgate.toml");
        Config::parse(&tables.collect::<String>(), file.to_str().expect("a path"), &env)
    }

    /// What is said of a key with this value.
    fn said(self, table: &str, key: &str, value: &str, folder: &Path) -> Vec<String> {
        let problems = self.set(table, &format!("{key} = {value}")).parse(folder).err();
        let of_key = |path: &str| path.rsplit('.').next() == Some(key);
        let problems = problems.into_iter().flat_map(|problems| problems.0);
        problems.filter(|problem| of_key(&problem.key)).map(|problem| problem.text.to_string()).collect()
    }
}

/// A folder with what the least configuration names.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made =
        rcgen::generate_simple_self_signed(vec!["api.weixin.qq.com".to_owned()]).expect("a certificate");
    std::fs::write(folder.path().join("wxgate.pem"), made.cert.pem()).expect("written");
    let platform = PLATFORM_CERTIFICATES[0].certificate;
    std::fs::write(folder.path().join("platform.crt"), platform).expect("written");
    std::fs::write(folder.path().join("wxgate.key"), made.signing_key.serialize_pem()).expect("written");
    folder
}

#[test]
fn every_key_is_described_and_nothing_else() {
    let data: Data = data("configuration.toml");
    let known: BTreeMap<_, _> = known_keys().collect();
    for (table, about) in &data.tables {
        assert!(known.contains_key(table.as_str()), "{table} is no table");
        if let Some(other) = &about.same_as {
            assert_eq!(known[table.as_str()], known[other.as_str()], "{table} is not as {other}");
        }
    }
    for (table, keys) in &data.keys {
        for key in keys.keys() {
            assert!(
                known.get(table.as_str()).is_some_and(|known| known.contains(&key.as_str())),
                "{table} {key}"
            );
        }
    }
    for (table, keys) in known {
        let about = data.tables.get(table).unwrap_or_else(|| panic!("{table} is not described"));
        let described = |key: &str| data.keys.get(table).is_some_and(|keys| keys.contains_key(key));
        let missing: Vec<_> = keys.iter().filter(|key| described(key) == about.same_as.is_some()).collect();
        assert!(missing.is_empty(), "{table}: {missing:?}");
    }
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    let (data, folder) = (data::<Data>("configuration.toml"), folder());
    let mut proven = 0;
    for (table, key, about) in listed(&data) {
        let Some(default) = &about.default else { continue };
        let mut file = File::with(table);
        if let Some(beside) = &about.beside {
            file = file.set(table, beside);
        }
        let shown = |file: &File| {
            let mut config =
                file.parse(folder.path()).unwrap_or_else(|problems| panic!("{table} {key}: {problems}"));
            // Of what nobody wrote, and of what somebody did.
            config.notes.clear();
            config.warnings.clear();
            format!("{config:?}")
        };
        let written = file.clone().set(table, &format!("{key} = {default}"));
        assert_eq!(shown(&file), shown(&written), "{table} {key} = {default}");
        proven += 1;
    }
    assert!(proven > 40, "only {proven} defaults are proven");
}

#[test]
fn a_table_is_refused_without_a_required_key_alone() {
    let (data, folder) = (data::<Data>("configuration.toml"), folder());
    for (table, key, about) in listed(&data) {
        if table == "[trace]" && !cfg!(feature = "otlp") {
            continue;
        }
        let file = if table == "[[app.export]]" {
            File::with(table).set(table, "file = 'shop.properties'")
        } else {
            File::with(table)
        };
        // The rest of an export's or a limit's table can't stand alone either.
        let alone = (table, key) != ("[[app.export]]", "file") && (table, key) != ("[[limit]]", "rate");
        let refused = file.less(table, key).parse(folder.path()).is_err();
        assert_eq!(refused, about.required || !alone, "{table} {key}");
    }
}

/// The type of a key, as the reader of the file words it.
fn kind(table: &'static str, key: &str, about: &Key, folder: &Path, language: Language) -> String {
    let file = || match &about.beside {
        Some(beside) => File::with(table).set(table, beside),
        None => File::with(table),
    };
    for text in file().said(table, key, "'zzzzzzzzzzzz'", folder) {
        if let Some((_, values)) = text.split_once(" is not one of its values, expected one of: ") {
            let quoted: Vec<_> = values.split(", ").map(|value| format!("\"{value}\"")).collect();
            return language.codes(quoted.iter().map(String::as_str));
        }
    }
    let said = file().said(table, key, "1979-05-27", folder);
    let expected = said.iter().find_map(|text| text.strip_prefix("is a datetime, expected "));
    let kinds = [
        ("a string in quotes", "string", "字符串"),
        ("true or false", "`true`, `false`", "`true`、`false`"),
        ("a whole number", "integer", "整数"),
        ("a number", "number", "数字"),
        ("a list of strings", "list of strings", "字符串列表"),
        ("{ env = ", "secret", "secret"),
        ("a duration", "duration", "时长"),
        ("a size", "size", "大小"),
        ("tables that begin", "tables", "多张表"),
        ("a table", "table", "表"),
    ];
    let found = kinds.into_iter().find(|(begin, ..)| expected.is_some_and(|text| text.starts_with(begin)));
    let (_, english, chinese) = found.unwrap_or_else(|| panic!("{table} {key}: {said:?}"));
    language.of(english, chinese).to_owned()
}

#[test]
fn the_page_shows_every_key() {
    let (data, folder) = (data::<Data>("configuration.toml"), folder());
    part("configuration.md", "keys", |language| {
        let mut out = String::new();
        for (name, keys) in known_keys() {
            let about = &data.tables[name];
            let title = match name {
                "" => language.of("Above all tables", "所有表之前").to_owned(),
                name => format!("`{name}`"),
            };
            out += &format!("## {title}\n\n{}\n\n", language.of(&about.en, &about.zh));
            if about.same_as.is_some() {
                continue;
            }
            let titles = language.of(["key", "type", "default", "meaning"], ["键", "类型", "默认值", "含义"]);
            let rows = keys.iter().map(|key| {
                let about = &data.keys[name][*key];
                let default = match (&about.default, about.required) {
                    (Some(default), _) => format!("`{default}`"),
                    (None, true) => language.of("required", "必填").to_owned(),
                    (None, false) => String::new(),
                };
                let text = language.of(&about.en, &about.zh);
                let link = language.link(&about.page);
                let text = language.of(format!("{text}. {link}"), format!("{text}。{link}"));
                vec![format!("`{key}`"), kind(name, key, about, folder.path(), language), default, text]
            });
            out += &table(std::iter::once(strings(titles)).chain(rows));
            out.push('\n');
        }
        out
    });
}
