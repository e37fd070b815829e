//! What `./x release` packs, but for what needs the static binary or cargo-deb: the release itself
//! shows these.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Parser, Tag};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;

use crate::installer::output;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the command prints.
fn told(command: &mut Command) -> String {
    output(command).unwrap_or_else(|said| panic!("{said}"))
}

/// What the steps of a release have made.
struct Release {
    folder: TempDir,
}

impl Release {
    /// Of a program that hands all on to ours: small, and packed in a moment.
    fn of(steps: &[&str]) -> Self {
        let release = Self { folder: tempfile::tempdir().expect("a folder") };
        let program = release.at("program");
        fs::write(&program, format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_wxgate")))
            .expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("changed");
        release.pack("out", steps);
        release
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn pack(&self, out: &str, steps: &[&str]) {
        told(
            Command::new(format!("{ROOT}/deploy/release/run"))
                .arg("--binary")
                .arg(self.at("program"))
                .args(steps)
                .env("WXGATE_RELEASE_STAGE", self.at("stage"))
                .env("WXGATE_RELEASE_OUT", self.at(out))
                .env("MINISIGN_KEY", self.at("key.sec"))
                .env("SOURCE_DATE_EPOCH", "1700000000"),
        );
    }

    fn tarball(&self) -> PathBuf {
        self.at(&format!("out/wxgate-{VERSION}-x86_64-linux.tar.gz"))
    }

    fn image(&self) -> PathBuf {
        self.at(&format!("out/wxgate-{VERSION}-image.tar"))
    }

    fn verifies(&self, file: &str) -> bool {
        let mut command = Command::new("minisign");
        command.args(["-V", "-q", "-p", "key.pub", "-x", "out/SHA256SUMS.minisig", "-m", file]);
        command.current_dir(self.path()).status().expect("minisign").success()
    }
}

/// Mode, owner and name of all that is in an archive, folders too.
fn listed(archive: &Path) -> BTreeSet<(String, String, String)> {
    let lines = told(Command::new("tar").arg("--numeric-owner").arg("-tvf").arg(archive));
    let entries = lines.lines().map(|line| {
        let mut words = line.split_whitespace();
        let [mode, owner] = [(); 2].map(|()| words.next().expect("a column").to_owned());
        (mode, owner, words.last().expect("a name").trim_end_matches('/').to_owned())
    });
    entries.collect()
}

fn entries<const N: usize>(expected: [(&str, &str, &str); N]) -> BTreeSet<(String, String, String)> {
    expected
        .into_iter()
        .map(|(mode, owner, name)| (mode.to_owned(), owner.to_owned(), name.to_owned()))
        .collect()
}

#[test]
fn the_archive_holds_what_a_machine_without_packages_needs() {
    let release = Release::of(&["stage", "tarball"]);
    let prefix = format!("wxgate-{VERSION}-x86_64-linux");
    let entry = |(mode, owner, name): (String, String, String)| {
        Some((mode, owner, name.strip_prefix(&prefix)?.strip_prefix('/')?.to_owned()))
    };
    let is_read = |entry: &(String, String, String)| {
        ["man/", "docs/", "deploy/", "config/"].iter().any(|folder| entry.2.starts_with(folder))
    };
    let (read, rest): (BTreeSet<_>, BTreeSet<_>) =
        listed(&release.tarball()).into_iter().filter_map(entry).partition(is_read);
    let file = |name| ("-rw-r--r--", "0/0", name);
    let some = entries([
        file("man/wxgate.1"),
        file("man/wxgate-serve.1"),
        file("docs/en/index.md"),
        file("docs/zh/sdk/wxjava.md"),
        file("docs/zh/images/status-page.png"),
        file("config/wxgate.toml"),
        file("config/wxgate.zh-CN.toml"),
        file("deploy/docker/compose.yaml"),
        ("-rwxr-xr-x", "0/0", "deploy/docker/prepare"),
        // In the repository these lead elsewhere.
        file("deploy/helm/wxgate/files/alerts.yml"),
    ]);
    assert!(read.is_superset(&some), "{read:?}");
    let folder = |name| ("drwxr-xr-x", "0/0", name);
    let expected = entries([
        ("-rwxr-xr-x", "0/0", "wxgate"),
        file("CHANGELOG.md"),
        file("LICENSE"),
        file("LICENSES"),
        file("README.md"),
        file("README.zh-CN.md"),
        file("SECURITY.md"),
        file("wxgate.service"),
        file("wxgate.socket"),
        file("wxgate.toml"),
        folder("completions"),
        file("completions/_wxgate"),
        file("completions/wxgate.bash"),
        file("completions/wxgate.fish"),
        folder("config"),
        folder("deploy"),
        folder("docs"),
        folder("man"),
    ]);
    assert_eq!(rest, expected);
}

/// The Markdown files below a folder, each with its path from there.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(folder).expect("below it").to_owned());
            }
        }
    }
    found
}

#[test]
fn every_page_is_packed_and_what_it_leads_to_is_packed_too_or_on_the_web() {
    let release = Release::of(&["stage"]);
    let packed = release.at("stage/doc");
    let root = Path::new(ROOT);
    for book in ["docs/en", "docs/zh"] {
        for page in pages(&root.join(book)) {
            assert!(packed.join(book).join(&page).exists(), "{book}: {page:?}");
        }
    }
    // At the commit that was released, where what was left out is.
    let ours = format!("https://github.com/wxgate/wxgate/blob/v{VERSION}/");
    let [mut within, mut without] = [0, 0];
    for page in pages(&packed) {
        let text = fs::read_to_string(packed.join(&page)).unwrap();
        for event in Parser::new(&text) {
            let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else {
                continue;
            };
            let file = dest_url.split('#').next().unwrap();
            if let Some(left_out) = file.strip_prefix(&ours) {
                assert!(root.join(left_out).exists(), "{page:?}: {dest_url}");
                assert!(!packed.join(left_out).exists(), "{page:?}: {dest_url} is packed");
                without += 1;
            } else if !file.contains(':') {
                let target = packed.join(&page).parent().unwrap().join(file);
                assert!(file.is_empty() || target.exists(), "{page:?}: {dest_url}");
                within += 1;
            }
        }
    }
    assert!(within > 500 && (10..100).contains(&without), "{within} within, {without} without");
}

#[test]
fn the_image_holds_the_binary_and_nothing_to_run_beside_it() {
    let release = Release::of(&["stage", "image"]);
    let folder = tempfile::tempdir().unwrap();
    told(Command::new("tar").arg("-xf").arg(release.image()).arg("-C").arg(folder.path()));
    let json = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap()
    };
    // As an OCI layout and as what `docker save` writes: the same image.
    assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
    let blob = |at: &Value| format!("blobs/{}", at["digest"].as_str().unwrap().replace(':', "/"));
    let manifest = json(&blob(&json("index.json")["manifests"][0]));
    let [config, layer] = [blob(&manifest["config"]), blob(&manifest["layers"][0])];
    assert_eq!(json("manifest.json")[0]["Config"], config);
    assert_eq!(json("manifest.json")[0]["Layers"], serde_json::json!([layer]));
    for at in [&config, &layer] {
        let bytes = fs::read(folder.path().join(at)).unwrap();
        let hex: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(*at, format!("blobs/sha256/{hex}"));
    }

    let folder_of_root = |name| ("drwxr-xr-x", "0/0", name);
    let expected = entries([
        folder_of_root("etc"),
        folder_of_root("etc/wxgate"),
        ("drwxrwxrwt", "0/0", "tmp"),
        folder_of_root("usr"),
        folder_of_root("usr/bin"),
        ("-rwxr-xr-x", "0/0", "usr/bin/wxgate"),
        folder_of_root("usr/share"),
        folder_of_root("usr/share/doc"),
        folder_of_root("usr/share/doc/wxgate"),
        ("-rw-r--r--", "0/0", "usr/share/doc/wxgate/LICENSES"),
        folder_of_root("var"),
        folder_of_root("var/lib"),
        ("drwx------", "65532/65532", "var/lib/wxgate"),
    ]);
    assert_eq!(listed(&folder.path().join(layer)), expected);
    let config = &json(&config)["config"];
    assert_eq!(config["User"], "65532:65532");
    // Both ways to the image say the same.
    let dockerfile = fs::read_to_string(format!("{ROOT}/deploy/docker/Dockerfile")).unwrap();
    let listed = |value: &Value| serde_json::to_string(value).unwrap().replace("\",\"", "\", \"");
    let health = config["Healthcheck"]["Test"].as_array().unwrap();
    assert_eq!(health[0], "CMD");
    for line in [
        format!("\nENTRYPOINT {}\n", listed(&config["Entrypoint"])),
        format!("\nCMD {}\n", listed(&config["Cmd"])),
        format!(" CMD {}\n", listed(&Value::from(&health[1..]))),
        format!("\nUSER {}\n", config["User"].as_str().unwrap()),
    ] {
        assert!(dockerfile.contains(&line), "{line}");
    }
    // There is such a command.
    let words = health[2..].iter().map(|word| word.as_str().unwrap());
    told(Command::new(env!("CARGO_BIN_EXE_wxgate")).args(words).arg("--help"));
}

#[test]
fn packing_the_same_again_gives_the_same_bytes() {
    let release = Release::of(&["stage", "tarball", "image"]);
    release.pack("again", &["tarball", "image"]);
    for file in [release.tarball(), release.image()] {
        let again = release.at("again").join(file.file_name().unwrap());
        assert!(fs::read(&file).unwrap() == fs::read(again).unwrap(), "{file:?}");
    }
}

#[test]
fn the_signature_is_of_the_checksums_and_these_of_the_files() {
    let release = Release::of(&["stage", "tarball", "image", "sums"]);
    let keys = ["-G", "-W", "-p", "key.pub", "-s", "key.sec"];
    told(Command::new("minisign").args(keys).current_dir(release.path()));
    release.pack("out", &["sign"]);
    assert!(release.verifies("out/SHA256SUMS"));
    let sums = fs::read_to_string(release.at("out/SHA256SUMS")).unwrap();
    fs::write(release.at("forged"), sums.replacen(' ', "0 ", 1)).unwrap();
    assert!(!release.verifies("forged"));
    assert_eq!(sums.lines().count(), 2, "{sums}");
    told(
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(release.at("out")),
    );
}

#[test]
fn the_notes_are_the_versions_section_of_the_changelog() {
    let release = Release::of(&["notes"]);
    let notes = fs::read_to_string(release.at("out/NOTES.md")).unwrap();
    let changelog = fs::read_to_string(format!("{ROOT}/CHANGELOG.md")).unwrap();
    let mut sections = changelog.split("\n## ").filter_map(|section| section.split_once('\n'));
    let is_of_this = |heading: &str| heading.split(' ').next() == Some(VERSION);
    let (_, section) = sections.find(|(heading, _)| is_of_this(heading)).unwrap();
    assert_eq!(notes.trim(), section.trim());
    assert!(!section.contains("## 0.") && section.contains("### Added"));
}

#[test]
fn the_debian_package_has_all_that_it_names_and_its_unit_starts_what_is_in_it() {
    let release = Release::of(&["stage"]);
    let manifest: toml::Value =
        toml::from_str(&fs::read_to_string(format!("{ROOT}/Cargo.toml")).unwrap()).unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    for asset in package["assets"].as_array().unwrap() {
        let from = asset[0].as_str().unwrap();
        let staged = from.strip_prefix("target/package/").map(|name| release.at("stage").join(name));
        let path = staged.unwrap_or_else(|| Path::new(ROOT).join(from));
        let there = match from.split_once('*') {
            None => path.is_file(),
            // A folder and all below it.
            Some((_, "*/*")) => path.ancestors().nth(2).unwrap().is_dir(),
            Some((_, ending)) => fs::read_dir(path.parent().unwrap())
                .unwrap()
                .any(|entry| entry.unwrap().file_name().to_str().unwrap().ends_with(ending)),
        };
        assert!(there, "{from}");
    }
    let unit = fs::read_to_string(release.at("stage/wxgate.service")).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/wxgate serve --config /etc/wxgate/wxgate.toml\n"), "{unit}");
    let scripts = Path::new(ROOT).join(package["maintainer-scripts"].as_str().unwrap());
    for script in fs::read_dir(scripts).unwrap() {
        let script = script.unwrap().path();
        told(Command::new("sh").arg("-n").arg(&script));
        assert!(fs::read_to_string(&script).unwrap().contains("\n#DEBHELPER#\n"), "{script:?}");
    }
    told(Command::new("bash").arg("-n").arg(release.at("stage/completions/wxgate.bash")));
}

#[test]
fn the_licences_of_what_is_linked_are_told() {
    let release = Release::of(&["stage"]);
    let licences = fs::read_to_string(release.at("stage/LICENSES")).unwrap();
    for what in ["\ntokio 1.", "\nring 0.", "GNU C Library", "Permission is hereby granted"] {
        assert!(licences.contains(what), "{what}");
    }
}
