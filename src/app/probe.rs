//! `wxgate check --online --probe`: what WeChat's hosts speak, how fast they are, and how long they
//! keep a connection, as a report that can be given to others.

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
use crate::upstream::look::{AnswerSight, Idle, LookError, PATH, REQUESTS, Sight, TlsSight, look};
use crate::upstream::{ConnectError, Origin, Resolver, Site, Trusted, Upstream, Upstreams, tls};
use crate::wechat::Family;

/// How often it is said that one waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// The column of what was measured.
const LABEL: usize = 14;

/// Headers whose values say something about the host and nothing about whom it serves.
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
    /// For anybody: it holds no secret, no name and no address of this installation. Lines of at
    /// most 80 columns.
    pub report: String,
    /// How many hosts could not be asked.
    pub failed: usize,
}

/// A host, and the way there.
struct Target {
    upstream: Arc<Upstream>,
    origin: Origin,
    apps: usize,
}

/// Looks at each host that the apps' calls go to, at most `idle` long; `tell` is told how it goes,
/// with names and addresses.
///
/// # Errors
/// If TLS can't be set up.
pub async fn probe(config: &Config, idle: Duration, tell: impl Fn(&str)) -> Result<Probed, tls::TlsError> {
    let targets = targets(config)?;
    tell(&format!(
        "asking {} without a token, then waiting up to {} for the idle connections to be closed",
        hosts(targets.len()),
        humantime::format_duration(idle)
    ));
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
                        Ok(_) => tell(&format!("{url}: done")),
                        Err(error) => tell(&format!("{url}: {}", Chain(error))),
                    }
                    seen[index] = Some(looked);
                }
                Some(Err(_)) => {}
                None => break,
            },
            _ = waits.tick() => {
                tell(&format!("{} s, {} still open", began.elapsed().as_secs(), hosts(looks.len())));
            }
        }
    }
    let failed = seen.iter().filter(|seen| !matches!(seen, Some(Ok(_)))).count();
    Ok(Probed { report: report(&targets, &seen), failed })
}

fn hosts(count: usize) -> String {
    format!("{count} host{}", if count == 1 { "" } else { "s" })
}

/// Each host once for each way there.
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
    let intro = format!(
        "WeChat's hosts as wxgate {} saw them on {}: {REQUESTS} times GET {PATH} without a token on one connection each, \
         which costs no quota. This text holds no secret, and no name, appid or address of this installation.",
        env!("CARGO_PKG_VERSION"),
        day.get(..10).unwrap_or_default()
    );
    let mut out: String = wrap(&intro, WIDTH).iter().map(|line| format!("{line}\n")).collect();
    for (nth, (target, seen)) in targets.iter().zip(seen).enumerate() {
        let options = target.upstream.options();
        let scheme = if target.origin.tls { "https" } else { "http" };
        // Whose host it is otherwise is nobody's business.
        let name = if target.origin.is_wechats() {
            target.origin.url()
        } else {
            format!("{scheme}, host {} (none of WeChat's)", nth + 1)
        };
        out += &format!("\n{name}\n");
        let mut sheet = Sheet::new(2, LABEL);
        let way = if options.egress.is_some() { "through an egress proxy" } else { "direct" };
        let way = if options.resolve.is_empty() {
            way.to_owned()
        } else {
            format!("{way}, upstream.resolve is set")
        };
        sheet.row("way", &format!("{way}; apps: {}", target.apps));
        match seen {
            Some(Ok(sight)) => show(&mut sheet, sight, options.ca_file.is_some()),
            Some(Err(error)) => sheet.row("FAILED", kind_of(error)),
            None => sheet.row("FAILED", "it was broken off"),
        }
        out += &sheet.finish();
    }
    out
}

fn show(sheet: &mut Sheet, sight: &Sight, own_authority: bool) {
    if let Some((v4, v6)) = sight.addresses {
        sheet.row("addresses", &format!("{v4} IPv4, {v6} IPv6"));
    }
    sheet.row("connect", &milliseconds(sight.connect));
    match &sight.tls {
        Some(tls) => show_tls(sheet, tls, own_authority),
        None => sheet.row("TLS", "none"),
    }
    let Some((first, others)) = sight.answers.split_first() else { return };
    let status = format!("{:?} {}", first.version, first.status.as_u16());
    let errcode = errcode(first).map(|errcode| format!(", errcode {errcode}")).unwrap_or_default();
    sheet.row("answer", &format!("{status}{errcode}, {} bytes", first.body.len()));
    let coding = first.headers.get(header::CONTENT_ENCODING);
    let coding = coding.map_or_else(|| "no, though it was offered".to_owned(), shown);
    sheet.row("gzip", &coding);
    sheet.row("headers", &headers(&first.headers));
    let mut times: Vec<_> = others.iter().map(|answer| answer.took).collect();
    times.sort();
    let mut latency = format!("first {}", milliseconds(first.took));
    if let (Some(least), Some(median), Some(most)) = (times.first(), times.get(times.len() / 2), times.last())
    {
        latency += &format!(
            "; {} more on the connection: {} to {}, median {}",
            times.len(),
            milliseconds(*least),
            milliseconds(*most),
            milliseconds(*median)
        );
    }
    sheet.row("latency", &latency);
    let idle = match sight.idle {
        Idle::NotKept(answers) => format!("not kept: closed with answer {answers}"),
        Idle::Closed(after) => format!("closed by the host after {:.1} s", after.as_secs_f64()),
        Idle::Open(after) => format!("still open after {} s, when wxgate closed it", after.as_secs()),
    };
    sheet.row("idle", &idle);
}

fn show_tls(sheet: &mut Sheet, tls: &TlsSight, own_authority: bool) {
    sheet.row("TLS", &format!("{}, {}, handshake {}", tls.version, tls.suite, milliseconds(tls.handshake)));
    let chosen = tls.alpn.as_deref().map_or("nothing", |alpn| alpn);
    sheet.row("ALPN", &format!("{chosen} chosen of h2 and http/1.1"));
    let der = tls.certificate.as_deref().unwrap_or_default();
    // The name of a company's own authority tells whose it is.
    let issuer = if own_authority {
        Some("an authority of upstream.ca_file".to_owned())
    } else {
        certificate::issuer(der)
    };
    let end = certificate::end(der).map(|end| end.rfc3339());
    let end = end.as_deref().and_then(|end| end.get(..10)).unwrap_or("?");
    sheet.row("certificate", &format!("until {end}, by {}", issuer.as_deref().unwrap_or("?")));
}

/// Names of all, values of those that say nothing about whom it serves.
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
        // Of 64 KiB at most; the code stands in a short answer.
        serde_json::from_reader::<_, Refusal>(std::io::Read::take(GzDecoder::new(&*answer.body), 64 * 1024))
    } else {
        serde_json::from_slice(&answer.body)
    };
    read.ok().map(|refusal| refusal.errcode)
}

/// What went wrong, without the names and addresses that the error has.
fn kind_of(error: &LookError) -> &'static str {
    match error {
        LookError::Connect(error) => match error {
            ConnectError::Resolve { .. } => "the name can't be resolved",
            ConnectError::Refused { .. } => "no connection",
            ConnectError::Tls { .. } => "TLS fails",
            ConnectError::Name(_) => "not a name that a certificate can be for",
            ConnectError::Loop { .. } => "it leads back to this wxgate",
            ConnectError::Egress { .. } => "no connection through the egress proxy",
            ConnectError::Timeout { .. } => "no connection within upstream.connect_timeout",
        },
        LookError::Exchange(_) | LookError::Malformed(_) => "the exchange broke off",
        LookError::Timeout(_) => "no answer within upstream.response_timeout",
        LookError::TooLong => "the answer is none of WeChat's: longer than 64 KiB",
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
