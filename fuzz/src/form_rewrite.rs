//! No credential of the caller's survives in a form, and all else does, byte for byte.

use wxgate::message::form::{Form, READ_AHEAD};

pub fn run(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(READ_AHEAD - 1024)];
    let Some(form) = Form::read(bytes, true) else { return };
    let others = fields(form);
    let Some(out) = form.rewrite(&[]) else {
        assert_eq!(form.credentials().count(), 0, "left as it was");
        return;
    };
    // What is left may look like no form any more, and then nobody reads it as one.
    if let Some(rewritten) = Form::read(&out, true) {
        assert_eq!(rewritten.credentials().count(), 0, "{}", out.escape_ascii());
        assert_eq!(fields(rewritten), others);
    }
    if let Some(out) = form.rewrite(&[("secret", "S+1")])
        && let Some(rewritten) = Form::read(&out, true)
    {
        let secrets: Vec<_> = rewritten.get_all("secret").collect();
        assert!(secrets.iter().all(|secret| secret == "S+1") && secrets.len() <= 1, "{secrets:?}");
    }
}

/// What isn't a credential; a field without anything is none.
fn fields(form: Form<'_>) -> Vec<String> {
    form.others().map(std::borrow::Cow::into_owned).filter(|field| !field.is_empty()).collect()
}
