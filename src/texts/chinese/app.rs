use super::Table;

pub(super) const TABLE: Table = &[
    ("the token is available again", "token 已恢复正常"),
    ("there is no usable token: {failure}", "没有可用的 token：{failure}"),
    (
        "could not refresh the token; the current one is still valid: {failure}",
        "token 刷新失败，当前 token 仍可用：{failure}",
    ),
    (
        "another party fetches tokens with this app's secret, which invalidates wxgate's: find it, or reset \
         the secret",
        "有其他程序正在用该应用的 secret 获取 token，导致 wxgate 的 token 失效：请找到该程序，或重置 secret",
    ),
    (
        "new configuration rejected; keeping the current one; a restart would fail: {problem}",
        "新配置有误，继续使用当前配置；此时重启会失败：{problem}",
    ),
    (
        "new configuration rejected; keeping the current one; a restart would fail: {problem} (and {more} \
         more)",
        "新配置有误，继续使用当前配置；此时重启会失败：{problem}（另有 {more} 处）",
    ),
    ("{said}; most calls are from {name} ({percent}%)", "{said}；调用最多的是 {name}（{percent}%）"),
    ("{said}; {around} calls bypassed wxgate", "{said}；其中 {around} 次调用没有经过 wxgate"),
    (
        "the platform certificate {serial} (API signing) expires on {date}: download the next one in \
         WeChat's console and add it to app.signing.platform_certificate",
        "平台证书 {serial}（API 安全签名）将于 {date} 到期：请在微信后台下载新证书，并加到 \
         app.signing.platform_certificate 中",
    ),
    (
        "WeChat has begun to sign with the platform certificate {next}, which will replace {serial}: \
         download it in WeChat's console and set both in app.signing.platform_certificate",
        "微信已开始使用新的平台证书 {next} 签名，它将取代 {serial}：请在微信后台下载，并将两个证书一同写入 \
         app.signing.platform_certificate",
    ),
];
