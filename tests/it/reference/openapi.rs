//! The admin API's schema, for those who have no proxy to ask.

use std::collections::BTreeSet;

use super::{Language, read, root};

#[test]
fn the_schema_is_what_the_code_says() {
    let path = root().join("docs/reference/openapi.json");
    let made = format!("{:#}\n", wxgate::admin::openapi());
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&path, &made).expect("the schema written");
    } else {
        assert!(read(&path) == made, "{} is not what the code says: ./x pages", path.display());
    }
}

/// What the page says of the API, by hand, and what the table of routes says.
#[test]
fn every_path_of_the_api_is_in_the_schema_and_on_the_page() {
    let document = wxgate::admin::openapi();
    let paths = document["paths"].as_object().expect("paths");
    let declared: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let page = |(method, target): (reqwest::Method, String)| {
        let path = target.split('?').next().unwrap_or_default().replace("/apps/shop/", "/apps/{name}/");
        format!("{method} {path}")
    };
    let shown: BTreeSet<_> = super::admin::shown(Language::English).into_iter().map(page).collect();
    let shown: BTreeSet<_> = shown.into_iter().filter(|shown| shown != "GET /").collect();
    assert_eq!(declared, shown);
    for route in &declared {
        assert!(declared.len() > 13 && (route.contains("/api/v1/") || !route.starts_with("POST")), "{route}");
    }
}
