//! Every endpoint that the sandbox answers as WeChat documents it.

use wxgate::sandbox::{SHAPED, Shaped};

use super::{part, strings, table};

#[test]
fn the_page_shows_every_endpoint_in_wechats_shape_with_its_source() {
    part("sandbox.md", "shapes", |language| {
        let titles = language.of(["endpoint", "documented at"], ["接口", "微信文档"]);
        let row = |shaped: &Shaped| {
            let wecom = language.of(" (WeCom)", "（企业微信）");
            let note = if shaped.is_wecom() { wecom } else { "" };
            let source = shaped.source();
            let page = source.rsplit('/').next().unwrap_or_default();
            vec![format!("`{}`{note}", shaped.path), format!("[{page}]({source})")]
        };
        table(std::iter::once(strings(titles)).chain(SHAPED.iter().map(row)))
    });
}
