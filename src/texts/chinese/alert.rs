use super::Table;

pub(super) const TABLE: Table = &[
    ("it returned HTTP status {status}", "它返回 HTTP 状态码 {status}"),
    ("it returned {code}: {errmsg}", "它返回 {code}：{errmsg}"),
    ("its response is not JSON", "它的响应不是 JSON"),
    ("its response is too long", "它的响应太长"),
    ("could not deliver notices: {failure}", "通知发送失败：{failure}"),
];
