//! Which endpoints WeChat has: a table of the sandbox's own.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::credentials::Class;
use crate::sandbox::state::tokens::Kind;

const ROWS: &str = include_str!("catalogue.tsv");
const WECOM: &str = "qyapi.weixin.qq.com";

/// An endpoint that WeChat has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Whose token it demands, if any.
    pub class: Option<Class>,
    /// It is WeCom's.
    pub wecom: bool,
}

/// By path, WeCom's apart: the two have paths in common.
static LISTED: LazyLock<HashMap<(bool, &str), Listed>> =
    LazyLock::new(|| ROWS.lines().filter_map(row).collect());

fn row(row: &'static str) -> Option<((bool, &'static str), Listed)> {
    let mut columns = row.split('\t');
    let (path, wants, host) = (columns.next()?, columns.next()?, columns.next()?);
    let class = match wants {
        "app" | "authorizer" => Some(Class::App),
        "app_or_component" | "app_or_component?" => Some(Class::Either),
        "component" | "component_as_access_token" => Some(Class::Component),
        "suite" => Some(Class::Suite),
        "provider" | "provider_as_access_token" => Some(Class::Provider),
        _ => None,
    };
    let wecom = host == WECOM;
    Some(((wecom, path), Listed { class, wecom }))
}

/// The endpoint as a token of this kind meets it: an official account's meets nothing that WeCom
/// alone has. Without a token that the fake issued it is either's.
pub(super) fn find(path: &str, token: Option<Kind>) -> Option<Listed> {
    let of = |wecom: bool| LISTED.get(&(wecom, path)).copied();
    match token {
        Some(kind) => of(matches!(kind, Kind::Wecom | Kind::Suite | Kind::Provider)),
        None => of(false).or_else(|| of(true)),
    }
}
