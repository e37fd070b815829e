//! An upstream that echoes tags and does to its connections whatever a plan says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Wrong;
use super::plan::{End, Plan, Promise, Reading};
use super::tag::Tag;

/// Once in so many a connection is closed before anything is read.
const UNWELCOME: usize = 150;

#[derive(Clone)]
pub struct Upstream {
    pub authority: String,
    seen: Arc<Mutex<Seen>>,
}

/// What has come, and what was done about it.
#[derive(Default)]
struct Seen {
    posts: HashSet<Tag>,
    /// Of requests that aren't answered yet, for their callers.
    promises: HashMap<Tag, (Promise, &'static str)>,
    counts: Counts,
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub connections: u64,
    pub requests: u64,
    pub on_used_connections: u64,
    pub posts: u64,
    pub kinds: BTreeMap<&'static str, u64>,
}

/// The head of a request.
struct Head {
    method: String,
    target: String,
    length: usize,
}

impl Upstream {
    #[expect(clippy::disallowed_methods, reason = "they end with the test")]
    pub async fn start(seed: u64, wrong: Wrong) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut random = Rng::with_seed(seed);
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let mut connection = Connection {
                    stream,
                    input: Vec::new(),
                    random: random.fork(),
                    seen: Arc::clone(&shared),
                    wrong: wrong.clone(),
                };
                // An error is the other side's leave.
                tokio::spawn(async move { connection.serve().await });
            }
        });
        Self { authority, seen }
    }

    pub fn counts(&self) -> Counts {
        self.seen.lock().counts.clone()
    }

    /// What the caller was to get, and by what: of the last time that it came here.
    pub fn promised(&self, tag: Tag) -> Option<(Promise, &'static str)> {
        self.seen.lock().promises.remove(&tag)
    }
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    random: Rng,
    seen: Arc<Mutex<Seen>>,
    wrong: Wrong,
}

impl Connection {
    async fn serve(&mut self) -> io::Result<()> {
        self.seen.lock().counts.connections += 1;
        if self.random.usize(..UNWELCOME) == 0 {
            *self.seen.lock().counts.kinds.entry("closed when connected").or_default() += 1;
            let end = if self.random.bool() { End::Closed } else { End::Reset };
            return self.end(end).await.map(drop);
        }
        self.stream.set_nodelay(true)?;
        let mut used = false;
        while let Some(head) = self.head().await? {
            let Some(tag) = Tag::of(&head.target) else {
                self.body(head.length).await?;
                let body = "{\"access_token\":\"TOKEN-of-the-soak\",\"expires_in\":7200}";
                let length = body.len();
                self.stream
                    .write_all(
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
                    )
                    .await?;
                continue;
            };
            let plan = Plan::of(tag, &head.method, head.length, &mut self.random);
            self.note(tag, &head, &plan, used);
            used = true;
            if plan.body == Reading::Before {
                self.question(tag, head.length).await?;
            }
            self.write(&plan).await?;
            if plan.body == Reading::After {
                self.question(tag, head.length).await?;
            }
            if self.end(plan.end).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn note(&self, tag: Tag, head: &Head, plan: &Plan, used: bool) {
        let mut seen = self.seen.lock();
        seen.counts.requests += 1;
        seen.counts.on_used_connections += u64::from(used);
        *seen.counts.kinds.entry(plan.kind).or_default() += 1;
        if head.method == "POST" {
            seen.counts.posts += 1;
            if !seen.posts.insert(tag) {
                self.wrong.note(format!("{tag} came twice, then for {:?}", plan.kind));
            }
        }
        seen.promises.insert(tag, (plan.promise, plan.kind));
    }

    /// None once the other side has closed.
    async fn head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&self.input, b"\r\n\r\n") {
                break at + 4;
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.input.drain(..end).collect();
        let head = String::from_utf8(head).unwrap_or_default();
        let mut words = head.split(' ');
        let (Some(method), Some(target), true) = (words.next(), words.next(), head.contains(" HTTP/1.1\r\n"))
        else {
            self.wrong.note(format!("no request: {head:?}"));
            return Ok(None);
        };
        let field =
            |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
        let length = head.lines().find_map(field).unwrap_or_default();
        Ok(Some(Head { method: method.to_owned(), target: target.to_owned(), length }))
    }

    async fn body(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < length {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.input.drain(..length).collect())
    }

    /// The request's body, which is its own.
    async fn question(&mut self, tag: Tag, length: usize) -> io::Result<()> {
        if length > 0 && self.body(length).await? != tag.question() {
            self.wrong.note(format!("{tag} came with a body that isn't its own"));
        }
        Ok(())
    }

    async fn write(&mut self, plan: &Plan) -> io::Result<()> {
        if !plan.trickle {
            return self.stream.write_all(&plan.bytes).await;
        }
        // A long one in at most so many.
        let least = plan.bytes.len() / 20;
        let mut rest = &plan.bytes[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(least + self.random.usize(1..60)));
            self.stream.write_all(piece).await?;
            match self.random.u8(..3) {
                0 => tokio::task::yield_now().await,
                1 => tokio::time::sleep(Duration::from_millis(self.random.u64(1..4))).await,
                _ => {}
            }
            rest = behind;
        }
        Ok(())
    }

    /// Whether that was the end of the connection.
    async fn end(&mut self, end: End) -> io::Result<bool> {
        match end {
            End::GoesOn => return Ok(false),
            End::Closed => self.stream.shutdown().await?,
            End::Reset => socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?,
        }
        Ok(true)
    }
}
