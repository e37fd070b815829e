//! The paths of the admin address that the page shows.

use super::{Language, read};
use crate::harness::{ADMIN_TOKEN, Gate};

/// Method and path of each row.
pub(super) fn shown(language: Language) -> Vec<(reqwest::Method, String)> {
    let page = read(&language.page("admin.md"));
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let spans = cells.flat_map(|cell| cell.split('`').filter(|text| text.contains(" /")));
    let named = spans.filter_map(|span| span.split_once(' '));
    named
        .map(|(method, path)| {
            let path = path.replace("NAME", "shop").replace("RID", "none");
            let path = path.replace("PATH", "/cgi-bin/user/info");
            (method.parse().expect("a method"), path)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_that_the_page_shows_is_there() {
    let gate = Gate::start().await.warm().await;
    let status = async |method: &reqwest::Method, path: &str| {
        let request = gate.client.request(method.clone(), gate.admin_url(path));
        // What changes something isn't done, but asks for the token.
        let request = if method == reqwest::Method::GET { request.bearer_auth(ADMIN_TOKEN) } else { request };
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(status(&reqwest::Method::GET, "/api/v1/nothing").await, 404);
    assert_eq!(status(&reqwest::Method::POST, "/api/v1/apps/shop/nothing").await, 404);
    let [english, chinese] = Language::ALL.map(shown);
    assert_eq!(english, chinese);
    assert!(english.len() > 15, "{english:?}");
    for (method, path) in &english {
        let wanted = if method == reqwest::Method::GET { 200 } else { 401 };
        assert_eq!(status(method, path).await, wanted, "{method} {path}");
    }
}
