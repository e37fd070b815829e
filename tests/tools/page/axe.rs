//! What axe-core finds that keeps somebody from using the page.

use std::sync::LazyLock;

use crate::browser::Browser;
use crate::installer::Packages;

const AXE: Packages = Packages {
    of: "the status page's tests",
    folder: "page-node",
    npm: Some([include_str!("package.json"), include_str!("package-lock.json")]),
    pip: None,
    then: None,
};

/// Each finding with how bad it is, its rule and the first place.
const FIND: &str = "axe.run().then(({ violations }) => violations.map(({ impact, id, nodes }) =>
    `${impact} ${id}: ${nodes[0].target.join(' ')}: ${nodes[0].failureSummary}`))";

/// All findings about what is shown now, whatever their impact.
pub(crate) async fn findings(browser: &mut Browser) -> Vec<String> {
    static SCRIPT: LazyLock<Result<String, String>> = LazyLock::new(|| {
        let file = AXE.install()?.join("node_modules/axe-core/axe.min.js");
        std::fs::read_to_string(file).map_err(|error| error.to_string())
    });
    let script = SCRIPT.as_deref().unwrap_or_else(|problem| panic!("{problem}"));
    if browser.evaluate("typeof axe").await == "undefined" {
        browser.evaluate(&format!("{script}; 1")).await;
    }
    serde_json::from_value(browser.evaluate(FIND).await).expect("findings")
}
