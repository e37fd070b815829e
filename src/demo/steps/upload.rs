//! An upload whose token is dead: the bytes go out twice, and must be the same.

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use super::seen::{is_replay_of, show_seen};
use crate::observe::hex::hex;
use crate::texts::text;

const UPLOAD: &str = "/cgi-bin/media/upload";
const BOUNDARY: &str = "wxgate-demo";
const FILE_BYTES: usize = 1024 * 1024;

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    screen
        .say(text!("1 MiB, sent once by the service; WeChat rejects the token only after it has all of it."));
    let file: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(FILE_BYTES).collect();
    let body = multipart(&file);
    let sent = hex(digest(&SHA256, &body));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let target = format!("{UPLOAD}?type=image");
    let upload = async || caller::post(&stage.address, &target, &content_type, body.clone()).await;
    let (answer, entries) = stage.with_a_dead_token(upload).await?;
    let media_id = answer.text("media_id");
    let download = caller::get(&stage.address, &format!("/cgi-bin/media/get?media_id={media_id}")).await?;

    show_seen(screen, &entries);
    let uploads: Vec<_> = entries.iter().filter(|entry| entry.path == UPLOAD).collect();
    screen.show(text!("SHA-256 sent"), head(&sent));
    let mut label = text!("SHA-256 seen").to_string();
    for upload in &uploads {
        screen.show(std::mem::take(&mut label), head(upload.body_sha256.as_deref().unwrap_or("-")));
    }
    let same = uploads.iter().all(|upload| upload.body_sha256.as_deref() == Some(&sent));
    screen.check(
        is_replay_of(UPLOAD, &entries) && same,
        text!("replayed byte for byte: the service sent its file once"),
    );
    screen.check(
        !media_id.is_empty() && download.body == file,
        text!("downloaded again, it is the file that was sent"),
    );
    Ok(())
}

fn multipart(file: &[u8]) -> Bytes {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"photo.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body.into()
}

fn head(digest: &str) -> String {
    format!("{}...", digest.get(..16).unwrap_or(digest))
}
