use super::Table;

pub(super) const TABLE: Table = &[
    ("could not send traces to the collector: {error}", "无法把链路追踪数据发送到采集器：{error}"),
    ("traces reach the collector again", "链路追踪数据的发送已恢复"),
    ("could not make the HTTP client for the trace collector", "无法创建链路追踪采集器的 HTTP 客户端"),
    ("could not make the trace exporter", "无法创建链路追踪导出器"),
    ("logging is already set up", "日志已经初始化过"),
];
