use super::Table;

pub(super) const TABLE: Table = &[
    ("too many connections", "连接数过多"),
    ("the request's length is ambiguous", "请求的长度不明确"),
    ("the request is too long", "请求过长"),
    (
        "TLS handshake on the admin address, which speaks plain HTTP: use http:// instead of https://",
        "管理地址收到 TLS 握手，但它只支持明文 HTTP：请把 https:// 改为 http://",
    ),
    ("this path does not exist", "没有这个路径"),
    ("no app is named {name}", "没有名为 {name} 的应用"),
    ("this path only takes {allow}", "这个路径只接受 {allow}"),
    (
        "this requires the admin token, and none is configured: set [admin] token = {{ env = \"WXGATE_ADMIN_TOKEN\" }}",
        "此操作需要管理 token，但尚未配置：请设置 [admin] token = {{ env = \"WXGATE_ADMIN_TOKEN\" }}",
    ),
    (
        "this requires the admin token: send it as `Authorization: Bearer TOKEN`",
        "此操作需要管理 token：请用 `Authorization: Bearer TOKEN` 发送",
    ),
    (
        "a web page of another origin sent this request: open the status page itself, or send the admin token",
        "这个请求来自其他来源的网页：请直接打开状态页，或发送管理 token",
    ),
    (
        "the Host header is not this machine's: use localhost or 127.0.0.1, or send the admin token",
        "Host 头不是本机：请使用 localhost 或 127.0.0.1，或发送管理 token",
    ),
    (
        "range is {other}, expected `quarter`, `hour`, `day` or `month`",
        "range 为 {other}，应为 `quarter`、`hour`、`day` 或 `month`",
    ),
    ("most must be a number", "most 应为数字"),
    ("method must be one of HTTP, like POST", "method 应为 HTTP 方法，例如 POST"),
    (
        "path must be one that a caller sends, like /cgi-bin/user/info",
        "path 应为调用方请求的路径，例如 /cgi-bin/user/info",
    ),
    (
        "this sets all of today's quota counters of {app} at WeChat to zero and uses one of 10 such clears a month, including those made in WeChat's console; to do it, add confirm={app}",
        "此操作会把 {app} 今天在微信的全部配额计数清零，并占用每月 10 次清零中的一次（包括在微信后台的操作）；确认请加上 confirm={app}",
    ),
    (
        "this sets today's quota counter of {endpoint} of {app} at WeChat to zero and uses one of 50 such clears a month; to do it, add confirm={app}",
        "此操作会把 {app} 的 {endpoint} 今天在微信的配额计数清零，并占用每月 50 次单个清零中的一次；确认请加上 confirm={app}",
    ),
    (
        "endpoint must be a path of WeChat's, like /cgi-bin/message/custom/send",
        "endpoint 应为微信接口的路径，例如 /cgi-bin/message/custom/send",
    ),
    (
        "this resets wxgate's own counters of {app}, and the `daily` limits that its requests use, for today and on all replicas; to do it, add confirm={app}",
        "此操作会在所有副本上重置 wxgate 今天对 {app} 的计数，以及其请求所占用的 `daily` 限额；确认请加上 confirm={app}",
    ),
    (
        "rid must be three groups of 8 hexadecimal digits, like 61725984-6126f6f9-040f19c4: what WeChat writes after \"rid:\" in its errmsg",
        "rid 应为三组 8 位十六进制数，例如 61725984-6126f6f9-040f19c4，即微信在 errmsg 的 \"rid:\" 后面写的内容",
    ),
    (
        "unknown parameter {name}, or given twice: this path takes {known}",
        "参数 {name} 未知或重复：这个路径接受 {known}",
    ),
    ("{most} clients follow already", "已有 {most} 个客户端在接收更新"),
    ("could not write a snapshot", "无法生成状态页的数据"),
];
