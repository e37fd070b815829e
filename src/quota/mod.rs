//! Who spends which quota: counters, WeChat's own figures, forecasts, and the limits that callers are kept to.
