use super::Table;

pub(super) const TABLE: Table = &[
    ("expected a method like GET or POST", "请填写 GET、POST 等请求方法"),
    (
        "expected WeChat's own path, beginning with /, without scheme and host",
        "请填写微信接口自身的路径，以 / 开头，不带协议和主机名",
    ),
];
