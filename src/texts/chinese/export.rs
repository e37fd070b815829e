use super::Table;

pub(super) const TABLE: Table = &[
    ("no response from Redis within {time}", "Redis 在 {time} 内没有响应"),
    ("{path} is not a regular file", "{path} 不是普通文件"),
    ("another process holds the lock {path}", "锁 {path} 被另一个进程占用"),
    ("the writing thread failed", "写入线程出错"),
    ("the token is exported to {to} again", "token 已恢复导出到 {to}"),
    ("could not export the token to {to}, retrying every second: {error}", "token 导出到 {to} 失败，每秒重试一次：{error}"),
    ("{to} held a placeholder token: a service that fetches its token through wxgate shares this cache with those that read the export; give it a cache of its own. The real token was written again", "{to} 里是占位 token：某个通过 wxgate 获取 token 的服务与读取导出的服务共用了这份缓存，请让它使用单独的缓存。已重新写入真实的 token"),
    ("{to} held something that wxgate didn't write: another program writes there, perhaps a service that still fetches tokens. The token was written again", "{to} 里的内容不是 wxgate 写入的：有其他程序在写，可能是仍在自行获取 token 的服务。已重新写入 token"),
    ("has no {{{{access_token}}}}, so the file would hold no token", "缺少 {{{{access_token}}}}，文件里将没有 token"),
    ("has the unknown name {name}, expected one of: {names}", "含有未知的名称 {name}，可用的有：{names}"),
    ("has {opening} without {closing} after it", "{opening} 之后没有对应的 {closing}"),
];
