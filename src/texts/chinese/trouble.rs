use super::Table;

pub(super) const TABLE: Table = &[
    (
        "WeChat has returned -1 for {share}% of calls to {at} since {since}",
        "{since} 起，微信对 {at} 的 {share}% 调用返回 -1（系统繁忙）",
    ),
    (
        "WeChat has returned HTTP 5xx for {share}% of calls to {at} since {since}",
        "{since} 起，微信对 {at} 的 {share}% 调用返回 HTTP 5xx",
    ),
    (
        "WeChat has not responded in time to {share}% of calls to {at} since {since}",
        "{since} 起，微信对 {at} 的 {share}% 调用没有及时响应（超时）",
    ),
    (
        "WeChat has been unreachable, or closed the connection early, for {share}% of calls to {at} since \
         {since}",
        "{since} 起，{at} 的 {share}% 调用连不上微信，或连接中断",
    ),
    (
        "WeChat has rejected a valid token (40001) on {share}% of calls to {at} since {since}",
        "{since} 起，微信对 {at} 的 {share}% 调用拒绝仍然有效的 token（40001）",
    ),
    (
        "WeChat has refused {address} (40164; WeCom: 60020) on calls to {at} since {since}: add it to the \
         IP whitelist in WeChat's console (IP 白名单; WeCom: 企业可信 IP), which takes effect after about 5 \
         minutes",
        "{since} 起，微信以 40164（企业微信为 60020）拒绝{address} 调用 {at}：请在微信后台把它加入 IP 白名单\
         （企业微信为企业可信 IP），约 5 分钟后生效",
    ),
    ("{said}; no other endpoint was called", "{said}；没有调用其他接口"),
    ("{said}; other endpoints are fine", "{said}；其他接口正常"),
    ("{said}; other endpoints too, {share}%", "{said}；其他接口也有 {share}% 的调用如此"),
    ("{at} have recovered: {said}", "{at} 已恢复正常：{said}"),
    ("{at} has recovered: {said}", "{at} 已恢复正常：{said}"),
    (
        "no calls to {at} for 5 minutes; before that, {said}",
        "已有 5 分钟没有调用 {at}，是否恢复尚不清楚；此前 {said}",
    ),
    (
        "no calls to {at} for a day; before that, {said}",
        "已有一天没有调用 {at}，是否恢复尚不清楚；此前 {said}",
    ),
    (
        "WeChat returned -1 for {troubled} of {calls} calls from {since} to {until}",
        "{since} 至 {until} 的 {calls} 次调用中，有 {troubled} 次微信返回 -1",
    ),
    (
        "WeChat returned HTTP 5xx for {troubled} of {calls} calls from {since} to {until}",
        "{since} 至 {until} 的 {calls} 次调用中，有 {troubled} 次微信返回 HTTP 5xx",
    ),
    (
        "WeChat did not respond in time to {troubled} of {calls} calls from {since} to {until}",
        "{since} 至 {until} 的 {calls} 次调用中，有 {troubled} 次微信没有及时响应",
    ),
    (
        "WeChat was unreachable, or closed the connection early, for {troubled} of {calls} calls from \
         {since} to {until}",
        "{since} 至 {until} 的 {calls} 次调用中，有 {troubled} 次连不上微信或连接中断",
    ),
    (
        "WeChat rejected a valid token on {troubled} of {calls} calls from {since} to {until}",
        "{since} 至 {until} 的 {calls} 次调用中，有 {troubled} 次微信拒绝了仍然有效的 token",
    ),
    (
        "WeChat refused this machine's address on {troubled} of {calls} calls from {since} to {until}",
        "{since} 至 {until} 的 {calls} 次调用中，有 {troubled} 次微信因本机 IP 不在白名单而拒绝",
    ),
    ("unlisted endpoints", "未收录的接口"),
    ("{named} and {more} more", "{named} 及另外 {more} 个接口"),
    ("this machine's address", "本机 IP"),
    ("this machine's address {addresses}", "本机 IP {addresses}"),
    ("this machine's addresses {addresses}", "本机 IP {addresses}"),
    ("{listed}, {next}", "{listed}、{next}"),
    ("no calls to WeChat in the last 5 minutes", "近 5 分钟没有调用微信"),
    (
        "WeChat is fine: {share}% of {calls} calls in the last 5 minutes failed because of WeChat",
        "微信正常：近 5 分钟 {calls} 次调用中，{share}% 因微信自身的问题失败",
    ),
    ("it is WeChat, not wxgate: {app}: {said}", "是微信的问题，不是 wxgate：{app}：{said}"),
    ("it is the network to WeChat, or WeChat: {app}: {said}", "是到微信的网络或微信的问题：{app}：{said}"),
    (
        "it is the IP whitelist in WeChat's console: {app}: {said}",
        "是微信后台 IP 白名单的问题：{app}：{said}",
    ),
    ("{said}; other apps are fine", "{said}；其他应用正常"),
    ("{said}; other apps too, {share}%", "{said}；其他应用也有 {share}% 的调用如此"),
    ("{said} (and {more} more)", "{said}（另有 {more} 处）"),
];
