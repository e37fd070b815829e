//! Another origin, with pages that call wxgate in every way that a page has.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What pages do to TARGET; `N-` in front of each name tells the pages apart.
pub(crate) const WAYS: [&str; 16] = [
    "image",
    "script",
    "style",
    "frame",
    "video",
    "get-form",
    "post-form",
    "fetch",
    "fetch-any",
    "fetch-post",
    "fetch-cors",
    "beacon",
    "events",
    "object",
    "refresh",
    "link",
];

const PAGE: &str = r##"<!doctype html>META<title>evil</title>
<img src="TARGET?N-image=1">
<script src="TARGET?N-script=1"></script>
<link rel="stylesheet" href="TARGET?N-style=1">
<iframe src="TARGET?N-frame=1"></iframe>
<video src="TARGET?N-video=1" autoplay></video>
<object data="TARGET?N-object=1"></object>
<iframe name="one"></iframe><iframe name="two"></iframe>
<iframe srcdoc='META<meta http-equiv="refresh" content="0; url=TARGET?N-refresh=1">'></iframe>
<form id="get" target="one" action="TARGET"><input name="N-get-form" value="1"></form>
<form id="post" target="two" action="TARGET?N-post-form=1" method="post" enctype="text/plain">
<input name='{"touser":"' value='"}'></form>
<a href="TARGET?N-link=1">look</a>
<script>
const bare = { mode: "no-cors", referrerPolicy: "no-referrer" }
fetch("TARGET?N-fetch=1", { mode: "no-cors" })
fetch("TARGET?N-fetch-any=1", { ...bare, headers: { "Accept-Language": "*", "Accept": "*/*" } })
fetch("TARGET?N-fetch-post=1", { ...bare, method: "POST", body: "{}", headers: { "Accept-Language": "*" } })
fetch("TARGET?N-fetch-cors=1").catch(() => {})
navigator.sendBeacon("TARGET?N-beacon=1", "{}")
new EventSource("TARGET?N-events=1").onerror = (event) => event.target.close()
document.querySelector("#get").submit()
document.querySelector("#post").submit()
</script>"##;

/// Serves `/plain`, `/hidden` (which tells nobody where its requests come from), `/redirect` and
/// `/hidden-redirect`; gives the port.
pub(crate) async fn serve(target: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(answer(stream, target.clone()));
        }
    });
    port
}

async fn answer(mut stream: TcpStream, target: String) {
    let mut head = Vec::new();
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, more, body) = match path {
        "plain" => ("200 OK", String::new(), page(path, "", &target)),
        "hidden" => {
            let meta = r#"<meta name="referrer" content="no-referrer">"#;
            ("200 OK", String::new(), page(path, meta, &target))
        }
        "redirect" => ("302 Found", format!("Location: {target}?{path}=1\r\n"), String::new()),
        "hidden-redirect" => {
            let location = format!("Location: {target}?{path}=1\r\nReferrer-Policy: no-referrer\r\n");
            ("302 Found", location, String::new())
        }
        _ => ("404 Not Found", String::new(), String::new()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{body}"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn page(name: &str, meta: &str, target: &str) -> String {
    PAGE.replace("META", meta).replace("TARGET", target).replace("N-", &format!("{name}-"))
}
