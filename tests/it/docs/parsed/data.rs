//! JSON, YAML, XML and properties.

use quick_xml::events::Event;
use saphyr::LoadableYamlNode as _;

/// One value, or several behind each other.
pub(super) fn json(text: &str) -> Result<(), String> {
    let mut values = 0;
    for value in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        value.map_err(|error| error.to_string())?;
        values += 1;
    }
    if values > 0 { Ok(()) } else { Err("nothing".to_owned()) }
}

pub(super) fn yaml(text: &str) -> Result<(), String> {
    saphyr::Yaml::load_from_str(text).map(drop).map_err(|error| error.to_string())
}

pub(super) fn xml(text: &str) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open = Vec::new();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => open.push(tag.name().as_ref().to_owned()),
            Event::End(_) => _ = open.pop(),
            Event::Eof if open.is_empty() => return Ok(()),
            Event::Eof => return Err(format!("<{}> has no end", open.concat())),
            _ => {}
        }
    }
}

/// `key=value`, sections and comments.
pub(super) fn properties(text: &str) -> Result<(), String> {
    let is_one = |line: &str| {
        let section = line.starts_with('[') && line.ends_with(']');
        let pair =
            line.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty() && !key.trim().contains(' '));
        section || pair || line.is_empty() || line.starts_with(['#', ';'])
    };
    match text.lines().map(str::trim).find(|line| !is_one(line)) {
        Some(line) => Err(format!("neither key=value, section nor comment: {line}")),
        None => Ok(()),
    }
}
