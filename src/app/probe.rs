//! `wxgate check --online --probe`: what WeChat's hosts speak, how fast they are, and how long they
//! keep a connection, as a report that can be shared.

use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use http::header::{self, HeaderMap, HeaderName};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use super::layout::{Sheet, WIDTH, printable, wrap};
use crate::config::Config;
use crate::observe::certificate;
use crate::observe::chain::Chain;
use crate::observe::clock::Clock;
use crate::texts::{Text, text};
use crate::upstream::look::{AnswerSight, Idle, LookError, PATH, REQUESTS, Sight, TlsSight, look};
use crate::upstream::{ConnectError, Origin, Resolver, Site, Trusted, Upstream, Upstreams, tls};
use crate::wechat::Family;

/// How often progress is reported.
const PATIENCE: Duration = Duration::from_secs(10);

/// The column of what was measured.
const LABEL: usize = 14;

/// Headers whose values say something about the host and nothing about its users.
const SHOWN: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::VARY,
];

/// What was found.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Can be shared: it holds no secret, and no name or address of this installation. Lines of at
    /// most 80 columns.
    pub report: String,
    /// How many hosts did not respond.
    pub failed: usize,
}

/// A host, and the way there.
struct Target {
    upstream: Arc<Upstream>,
    origin: Origin,
    apps: usize,
}

/// Measures each host that the apps' calls go to, waiting at most `idle`; `tell` gets the progress,
/// with names and addresses.
///
/// # Errors
/// If TLS can't be set up.
pub async fn probe(config: &Config, idle: Duration, tell: impl Fn(&str)) -> Result<Probed, tls::TlsError> {
    let targets = targets(config)?;
    let begun = text!(
        "sending requests to {hosts} without a token, then waiting up to {idle} for the idle connections to be closed",
        hosts = hosts(targets.len()),
        idle = humantime::format_duration(idle)
    );
    tell(&begun.to_string());
    let mut looks = JoinSet::new();
    for (index, Target { upstream, origin, .. }) in targets.iter().enumerate() {
        let (upstream, origin) = (Arc::clone(upstream), origin.clone());
        looks.spawn(async move { (index, look(&upstream, &origin, idle).await) });
    }
    let began = Instant::now();
    let mut waits = interval_at(began + PATIENCE, PATIENCE);
    let mut seen: Vec<Option<Result<Sight, LookError>>> = targets.iter().map(|_| None).collect();
    loop {
        tokio::select! {
            looked = looks.join_next() => match looked {
                Some(Ok((index, looked))) => {
                    let url = targets[index].origin.url();
                    match &looked {
                        Ok(_) => tell(&text!("{url}: done", url).to_string()),
                        Err(error) => tell(&format!("{url}: {}", Chain(error))),
                    }
                    seen[index] = Some(looked);
                }
                Some(Err(_)) => {}
                None => break,
            },
            _ = waits.tick() => {
                let (seconds, hosts) = (began.elapsed().as_secs(), hosts(looks.len()));
                tell(&text!("{seconds} s: still waiting for {hosts}", seconds, hosts).to_string());
            }
        }
    }
    let failed = seen.iter().filter(|seen| !matches!(seen, Some(Ok(_)))).count();
    Ok(Probed { report: report(&targets, &seen), failed })
}

fn hosts(count: usize) -> String {
    match count {
        1 => text!("1 host").to_string(),
        _ => text!("{count} hosts", count).to_string(),
    }
}

/// Each host, once for each route to it.
fn targets(config: &Config) -> Result<Vec<Target>, tls::TlsError> {
    let upstreams = Upstreams::new(Resolver::default(), Vec::new());
    let upstreams = upstreams.configure(&config.upstreams, Trusted::read(&config.upstreams)?)?;
    let mut targets: Vec<Target> = Vec::new();
    for app in &config.pipeline.apps {
        let upstream = &upstreams[app.upstream];
        let site = if app.token.kind.family() == Family::Work { Site::Work } else { Site::Api };
        for origin in upstream.options().origins_of(site) {
            let known = targets
                .iter_mut()
                .find(|target| target.origin == origin && alike(&target.upstream, upstream));
            match known {
                Some(target) => target.apps += 1,
                None => targets.push(Target { upstream: Arc::clone(upstream), origin, apps: 1 }),
            }
        }
    }
    Ok(targets)
}

/// Whether they differ in nothing but timeouts.
fn alike(one: &Upstream, other: &Upstream) -> bool {
    let (one, other) = (one.options(), other.options());
    one.egress == other.egress && one.ca_file == other.ca_file && one.resolve == other.resolve
}

fn report(targets: &[Target], seen: &[Option<Result<Sight, LookError>>]) -> String {
    let day = Clock::default().now().rfc3339();
    let intro = text!(
        "WeChat's hosts as wxgate {version} saw them on {day}: {count} times GET {path} without a token on one connection \
         each, which costs no quota. This report contains no secret, and no name, appid or address of this installation.",
        version = env!("CARGO_PKG_VERSION"),
        day = day.get(..10).unwrap_or_default(),
        count = REQUESTS,
        path = PATH
    );
    let intro = intro.to_string();
    let mut out: String = wrap(&intro, WIDTH).iter().map(|line| format!("{line}\n")).collect();
    for (nth, (target, seen)) in targets.iter().zip(seen).enumerate() {
        let options = target.upstream.options();
        let scheme = if target.origin.tls { "https" } else { "http" };
        // The name of any other host may be confidential.
        let name = if target.origin.is_wechats() {
            target.origin.url()
        } else {
            text!("{scheme}, host {number} (not WeChat's)", scheme, number = nth + 1).to_string()
        };
        out += &format!("\n{name}\n");
        let mut sheet = Sheet::new(2, LABEL);
        let route = match (options.egress.is_some(), options.resolve.is_empty()) {
            (true, true) => text!("through an egress proxy"),
            (true, false) => text!("through an egress proxy, upstream.resolve is set"),
            (false, true) => text!("direct"),
            (false, false) => text!("direct, upstream.resolve is set"),
        };
        sheet.row(text!("route"), text!("{route}; apps: {count}", route, count = target.apps));
        match seen {
            Some(Ok(sight)) => show(&mut sheet, sight, options.ca_file.is_some()),
            Some(Err(error)) => sheet.row(text!("FAILED"), reason(error)),
            None => sheet.row(text!("FAILED"), text!("aborted")),
        }
        out += &sheet.finish();
    }
    out
}

fn show(sheet: &mut Sheet, sight: &Sight, own_authority: bool) {
    if let Some((v4, v6)) = sight.addresses {
        sheet.row(text!("addresses"), format_args!("{v4} IPv4, {v6} IPv6"));
    }
    sheet.row(text!("connect"), milliseconds(sight.connect));
    match &sight.tls {
        Some(tls) => show_tls(sheet, tls, own_authority),
        None => sheet.row("TLS", text!("none")),
    }
    let Some((first, others)) = sight.answers.split_first() else { return };
    let status = format!("{:?} {}", first.version, first.status.as_u16());
    let errcode = errcode(first).map(|errcode| format!(", errcode {errcode}")).unwrap_or_default();
    let bytes = first.body.len();
    sheet.row(
        text!("response"),
        text!("{status}, {bytes} bytes", status = format_args!("{status}{errcode}"), bytes),
    );
    let coding = first.headers.get(header::CONTENT_ENCODING);
    let coding = coding.map_or_else(|| text!("no, although accepted").to_string(), shown);
    sheet.row("gzip", coding);
    sheet.row(text!("headers"), headers(&first.headers));
    let mut times: Vec<_> = others.iter().map(|answer| answer.took).collect();
    times.sort();
    let took = milliseconds(first.took);
    if let (Some(least), Some(median), Some(most)) = (times.first(), times.get(times.len() / 2), times.last())
    {
        let latency = text!(
            "first {took}; {count} more on the connection: {least} to {most}, median {median}",
            took,
            count = times.len(),
            least = milliseconds(*least),
            most = milliseconds(*most),
            median = milliseconds(*median)
        );
        sheet.row(text!("latency"), latency);
    } else {
        sheet.row(text!("latency"), text!("first {took}", took));
    }
    match sight.idle {
        Idle::NotKept(number) => {
            sheet.row(text!("idle"), text!("not kept open: closed with response {number}", number));
        }
        Idle::Closed(after) => {
            let seconds = format!("{:.1}", after.as_secs_f64());
            sheet.row(text!("idle"), text!("closed by the host after {seconds} s", seconds));
        }
        Idle::Open(after) => {
            let seconds = after.as_secs();
            sheet.row(text!("idle"), text!("still open after {seconds} s, then closed by wxgate", seconds));
        }
    }
}

fn show_tls(sheet: &mut Sheet, tls: &TlsSight, own_authority: bool) {
    let handshake = milliseconds(tls.handshake);
    let (version, suite) = (&tls.version, &tls.suite);
    sheet.row("TLS", text!("{version}, {suite}, handshake {handshake}", version, suite, handshake));
    match tls.alpn.as_deref() {
        Some(alpn) => sheet.row("ALPN", text!("{alpn}, of h2 and http/1.1", alpn)),
        None => sheet.row("ALPN", text!("none, of h2 and http/1.1")),
    }
    let der = tls.certificate.as_deref().unwrap_or_default();
    // The name of a company's own authority reveals the company.
    let issuer = if own_authority {
        Some(text!("an authority of upstream.ca_file").to_string())
    } else {
        certificate::issuer(der)
    };
    let end = certificate::end(der).map(|end| end.rfc3339());
    let end = end.as_deref().and_then(|end| end.get(..10)).unwrap_or("?");
    let issuer = issuer.as_deref().unwrap_or("?");
    sheet.row(text!("certificate"), text!("valid until {end}, issued by {issuer}", end, issuer));
}

/// All names, and the values of those that say nothing about the host's users.
fn headers(headers: &HeaderMap) -> String {
    let one = |name: &HeaderName| match headers.get(name).filter(|_| SHOWN.contains(name)) {
        Some(value) => format!("{name}: {}", shown(value)),
        None => name.to_string(),
    };
    headers.keys().map(one).collect::<Vec<_>>().join("; ")
}

fn shown(value: &http::HeaderValue) -> String {
    printable(&String::from_utf8_lossy(value.as_bytes())).chars().take(60).collect()
}

fn errcode(answer: &AnswerSight) -> Option<i64> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        errcode: i64,
    }
    let is_gzip = answer.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    let read = if is_gzip {
        // At most 64 KiB: errors are short.
        serde_json::from_reader::<_, Refusal>(std::io::Read::take(GzDecoder::new(&*answer.body), 64 * 1024))
    } else {
        serde_json::from_slice(&answer.body)
    };
    read.ok().map(|refusal| refusal.errcode)
}

/// What went wrong, without the names and addresses that the error contains.
fn reason(error: &LookError) -> Text<'static> {
    match error {
        LookError::Connect(error) => match error {
            ConnectError::Resolve { .. } => text!("the name could not be resolved"),
            ConnectError::Refused { .. } => text!("could not connect"),
            ConnectError::Tls { .. } => text!("the TLS handshake failed"),
            ConnectError::Name(_) => text!("not a name that a certificate can be issued for"),
            ConnectError::Loop { .. } => text!("it leads back to this wxgate"),
            ConnectError::Egress { .. } => text!("could not connect through the egress proxy"),
            ConnectError::Timeout { .. } => text!("could not connect within upstream.connect_timeout"),
        },
        LookError::Exchange(_) | LookError::Malformed(_) => {
            text!("the host closed the connection early, or sent a malformed response")
        }
        LookError::Timeout(_) => text!("no response within upstream.response_timeout"),
        LookError::TooLong => text!("the response is not WeChat's: longer than 64 KiB"),
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
