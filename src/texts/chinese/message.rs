use super::Table;

pub(super) const TABLE: Table = &[
    ("the path doesn't begin with `/`; send WeChat's own path, such as `/cgi-bin/user/info`", "路径不是以 `/` 开头；请使用微信接口自身的路径，例如 `/cgi-bin/user/info`"),
    ("the path has a `%`; WeChat's paths are not percent-encoded, send the characters themselves", "路径含有 `%`；微信的路径不做百分号编码，请直接发送原字符"),
    ("the path has an empty segment (`//`); separate segments by one `/`", "路径含有空的路径段（`//`）；路径段之间请只用一个 `/`"),
    ("the path has a `.` or `..` segment; send the path that it resolves to", "路径含有 `.` 或 `..` 路径段；请发送解析之后的路径"),
    ("the path has a control character; send printable ASCII", "路径含有控制字符；请使用可打印的 ASCII 字符"),
    ("the path has a `\\`; separate segments by `/`", "路径含有 `\\`；路径段之间请用 `/`"),
    ("the path has a `;`; parameters belong in the query, after a `?`", "路径含有 `;`；参数应放在 `?` 之后的查询部分"),
    ("the path has a space or a non-ASCII character; WeChat's paths are printable ASCII", "路径含有空格或非 ASCII 字符；微信的路径只有可打印的 ASCII 字符"),
];
