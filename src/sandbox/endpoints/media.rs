//! Uploads and downloads.

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use super::credentials::Holder;
use crate::sandbox::answer::{Answer, Content, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::state::library::Material;
use crate::sandbox::state::media::File;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// What stands around a file in a multipart body, at most.
pub(super) const MULTIPART_OVERHEAD: usize = 64 * 1024;

/// Bytes of a picture within an article.
const LONGEST_PICTURE: usize = 1024 * 1024;

/// `POST /cgi-bin/media/upload`
pub(super) fn upload(state: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let kind = kind(call, &["image", "voice", "video", "thumb", "file"])?;
        let id = keep(state, call, file(state, call)?);
        let name = if kind == "thumb" { "thumb_media_id" } else { "media_id" };
        Ok(Answer::object([
            ("type", kind.into()),
            (name, id.into()),
            ("created_at", (call.now / 1000).into()),
            ("item", Value::from(Vec::<Value>::new())),
        ]))
    })
}

/// WeCom's `POST /cgi-bin/media/upload`: its time is text.
pub(super) fn upload_to_wecom(state: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let kind = kind(call, &["image", "voice", "video", "file"])?;
        let id = keep(state, call, file(state, call)?);
        let time = (call.now / 1000).to_string();
        Ok(Answer::ok([("type", kind.into()), ("media_id", id.into()), ("created_at", time.into())]))
    })
}

/// `POST /cgi-bin/media/uploadimg`: for articles, and no material.
pub(super) fn upload_picture(state: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let file = file(state, call)?;
        if file.bytes.len() > LONGEST_PICTURE {
            return Err(Answer::error_with(40009, "invalid image size"));
        }
        let id = keep(state, call, file);
        Ok(Answer::object([("url", picture(&id).into())]))
    })
}

/// `POST /cgi-bin/material/add_material`: only pictures have a URL.
pub(super) fn add_material(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let kind = kind(call, &["image", "voice", "video", "thumb"])?;
        let file = file(state, call)?;
        let name = file.filename.clone();
        let id = keep(state, call, file);
        let mut fields = vec![("media_id", Value::from(id.clone()))];
        if kind == "image" || kind == "thumb" {
            fields.push(("url", picture(&id).into()));
        }
        let appid = holder.appid.clone();
        state.library.store(Material { appid, id, kind, name, stored_at: call.now });
        Ok(Answer::object(fields))
    })
}

fn picture(id: &str) -> String {
    format!("http://mmbiz.qpic.cn/sandbox/{id}/0")
}

fn kind(call: &Call, known: &[&str]) -> Result<String, Answer> {
    let kind = call.param("type").filter(|kind| known.contains(kind));
    kind.map(str::to_owned).ok_or_else(|| Answer::error(40004))
}

/// The file of an upload, which hasn't to be too long.
fn file(state: &State, call: &Call) -> Result<File, Answer> {
    let body = call.body.as_ref().ok_or_else(|| Answer::error(40006))?;
    let file = first_file(&call.content_type, body).ok_or_else(|| Answer::error(41005))?;
    if file.bytes.is_empty() {
        return Err(Answer::error_with(44001, "empty media data"));
    }
    if file.bytes.len() > state.settings.media_limit {
        return Err(Answer::error(40006));
    }
    Ok(file)
}

fn keep(state: &mut State, call: &Call, file: File) -> String {
    let id = fresh(call.now, 64);
    state.media.store(id.clone(), file);
    id
}

/// `GET /cgi-bin/media/get`; `blob-N` is N deterministic bytes.
pub(super) fn get(state: &mut State, call: &Call, _: &Holder) -> Answer {
    fetch(state, call.param("media_id").unwrap_or_default())
}

/// `POST /cgi-bin/material/get_material`
pub(super) fn get_material(state: &mut State, call: &Call, _: &Holder) -> Answer {
    match call.json() {
        Some(body) => fetch(state, text(&body, "media_id").unwrap_or_default()),
        None => Answer::error(47001),
    }
}

fn fetch(state: &State, id: &str) -> Answer {
    if let Some(length) = id.strip_prefix("blob-").and_then(|length| length.parse().ok()) {
        return Answer { status: http::StatusCode::OK, content: Content::Blob(length) };
    }
    match state.media.get(id) {
        Some(file) => {
            Answer::file(file.content_type.clone(), Some(file.filename.clone()), file.bytes.clone())
        }
        None => Answer::error_with(40007, "invalid media_id"),
    }
}

/// The first part with a file name. Some SDKs send no boundary parameter (FACTS 12.6): then the
/// first line tells it.
fn first_file(content_type: &str, body: &Bytes) -> Option<File> {
    let named = content_type.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="));
    let delimiter = match named {
        Some(boundary) => [b"--", boundary.trim_matches('"').as_bytes()].concat(),
        None if body.starts_with(b"--") => body.split(|byte| *byte == b'\r').next()?.to_vec(),
        None => return None,
    };
    let between = [b"\r\n", &*delimiter].concat();
    let mut at = memmem::find(body, &delimiter)? + delimiter.len();
    loop {
        let part = body.get(at..)?.strip_prefix(b"\r\n")?;
        let start = body.len() - part.len();
        let head_length = memmem::find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..head_length]).into_owned();
        let content = start + head_length + 4;
        // An empty part's delimiter begins with the line end that closes its head.
        let search_from = content - 2;
        let end = search_from + memmem::find(&body[search_from..], &between)?;
        if let Some(filename) = filename(&head) {
            let content_type = header(&head, "content-type").unwrap_or("application/octet-stream").to_owned();
            return Some(File { filename, content_type, bytes: body.slice(content..end.max(content)) });
        }
        at = end + between.len();
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(known, value)| known.trim().eq_ignore_ascii_case(name).then(|| value.trim()))
}

fn filename(head: &str) -> Option<String> {
    let disposition = header(head, "content-disposition")?;
    let value = disposition.split(';').find_map(|parameter| parameter.trim().strip_prefix("filename="))?;
    let value = value.trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::first_file;

    const BODY: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n\r\n--XX\r\n\
        Content-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"; filelength=4\r\n\
        Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n\r\n--XX--\r\n";

    #[test]
    fn the_file_is_found_with_and_without_a_boundary_parameter() {
        for content_type in ["multipart/form-data; boundary=XX", "multipart/form-data"] {
            let file = first_file(content_type, &Bytes::from_static(BODY)).expect("a file");
            assert_eq!((&*file.filename, &*file.content_type), ("a.jpg", "image/jpeg"));
            assert_eq!(&*file.bytes, b"\xff\xd8\r\n");
        }
    }

    #[test]
    fn a_part_without_a_file_name_is_no_file() {
        let body = b"--XX\r\nContent-Disposition: form-data; name=\"media\"\r\n\r\nabc\r\n--XX--\r\n";
        assert!(first_file("multipart/form-data; boundary=XX", &Bytes::from_static(body)).is_none());
    }
}
