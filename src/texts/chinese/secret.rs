use super::Table;

pub(super) const TABLE: Table = &[
    ("it is not a regular file", "不是普通文件"),
    ("it is longer than {limit} bytes", "超过 {limit} 字节"),
];
