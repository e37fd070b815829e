//! Tells people of the platform's certificates that end, and of those that WeChat has begun to sign
//! by (API signing). Of several replicas one tells.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::alerting::{is_first, note};
use crate::alert::{Alerts, Notice, Topic};
use crate::observe::clock::{Clock, Timestamp};
use crate::pipeline::{Gate, PlatformCertificate};
use crate::store::Store;
use crate::texts::text;

const LOOK: Duration = Duration::from_secs(60);
/// People are told again when no more than so many days are left.
const DAYS: [u64; 6] = [0, 1, 3, 7, 14, 30];
/// A day longer than the longest of them: each is told once.
const NOTED: Duration = Duration::from_secs(31 * 86_400);

/// What tells of certificates.
pub(in crate::app) struct CertificateWatch {
    pub(in crate::app) gate: Arc<Gate>,
    pub(in crate::app) alerts: Alerts,
    pub(in crate::app) store: Store,
    pub(in crate::app) clock: Clock,
}

impl CertificateWatch {
    /// Runs until it is aborted.
    #[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
    pub(in crate::app) fn start(self) -> AbortHandle {
        tokio::spawn(async move {
            loop {
                self.look().await;
                self.clock.sleep(LOOK).await;
            }
        })
        .abort_handle()
    }

    async fn look(&self) {
        let now = self.clock.now();
        for PlatformCertificate { app, serial, ends, announced } in self.gate.platform_certificates() {
            if let Some(next) = announced
                && self.first(&app, "certificate_announced", &next, 0).await
            {
                tracing::warn!(%app, serial = next, "{}", text!("WeChat has begun to sign with a new platform certificate"));
                self.tell(now, &app, "certificate_announced", announcement(&serial, &next));
            }
            if let Some(days) = days_left(ends, now)
                && self.first(&app, "certificate_ends", &serial, days).await
            {
                let date = ends.beijing_date();
                tracing::warn!(%app, serial, "{}", text!("the platform certificate expires on {date}", date));
                self.tell(now, &app, "certificate_ends", ending(&serial, &date));
            }
        }
    }

    /// Whether no replica has told this.
    async fn first(&self, app: &str, what: &str, serial: &str, days: u64) -> bool {
        is_first(&self.store, &note(app, &format!("{what}:{serial}"), days), NOTED).await
    }

    fn tell(&self, at: Timestamp, app: &Arc<str>, kind: &'static str, (english, chinese): (String, String)) {
        let (app, topic) = (Some(Arc::clone(app)), Topic::Configuration);
        self.alerts.tell(Notice { at, app, topic, kind, caller: None, english, chinese });
    }
}

/// The fewest of [`DAYS`] that what ends at `ends` still has; none where it has more.
fn days_left(ends: Timestamp, now: Timestamp) -> Option<u64> {
    let left = ends.since(now);
    DAYS.into_iter().find(|days| left <= Duration::from_secs(days * 86_400))
}

/// In English and Chinese.
fn ending(serial: &str, date: &str) -> (String, String) {
    (
        format!(
            "the platform certificate {serial} (API signing) ends on {date}: download the next one in WeChat's \
             console and put it beside this one in app.signing.platform_certificate"
        ),
        format!(
            "平台证书 {serial}（API 安全）将于 {date} 到期：请在微信后台下载新证书，并在 \
             app.signing.platform_certificate 中与旧证书并列配置"
        ),
    )
}

fn announcement(serial: &str, next: &str) -> (String, String) {
    (
        format!(
            "WeChat has begun to sign by the platform certificate {next}, which will replace {serial}: download it in \
             WeChat's console and put both into app.signing.platform_certificate"
        ),
        format!(
            "微信已开始使用新的平台证书 {next} 签名，它将取代 {serial}：请在微信后台下载，并将两个证书一同写入 \
             app.signing.platform_certificate"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::days_left;
    use crate::observe::clock::Timestamp;

    #[test]
    fn people_are_told_a_month_before_the_end_and_again_as_it_comes_nearer() {
        let now = Timestamp(1_700_000_000_000);
        let left = |hours: u64| days_left(now.plus(Duration::from_secs(hours * 3600)), now);
        for (hours, days) in [
            (31 * 24, None),
            (30 * 24, Some(30)),
            (14 * 24 + 1, Some(30)),
            (14 * 24, Some(14)),
            (25, Some(3)),
            (24, Some(1)),
            (0, Some(0)),
        ] {
            assert_eq!(left(hours), days, "{hours}");
        }
        assert_eq!(days_left(Timestamp(0), now), Some(0));
    }
}
