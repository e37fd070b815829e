//! Files that `include` names.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use wxgate::config::{Config, FileChange, Included, Problems, digest};

use super::env;

/// A folder with a main file and others.
struct Folder(tempfile::TempDir);

const MAIN: &str = "include = ['apps.d/*.toml']\n";

fn app(name: &str, number: usize) -> String {
    format!("[[app]]\nname = '{name}'\nappid = 'wx{number:016x}'\nsecret = {{ env = 'SHOP_SECRET' }}\n")
}

impl Folder {
    /// With these files in `apps.d`.
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(folder.path("apps.d")).expect("a folder in it");
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path("apps.d").join(name), text).expect("written");
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path("apps.d").join(name)).expect("removed");
    }

    fn start(&self, main: &str) -> Result<Config, Problems> {
        Config::parse(main, self.path("wxgate.toml").to_str().expect("UTF-8"), &env)
    }

    fn started(&self, main: &str) -> Config {
        self.start(main).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn again(&self, main: &str, included: &Included) -> Result<Config, Problems> {
        Config::parse_again(main, self.path("wxgate.toml").to_str().expect("UTF-8"), &env, included)
    }

    fn reloaded(&self, main: &str, config: &Config) -> Config {
        self.again(main, &config.included).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// A message without the folder's own path.
    fn short(&self, text: impl ToString) -> String {
        text.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    /// What is wrong with files, and what they still have.
    fn rejected(&self, config: &Config) -> Vec<(String, Vec<String>)> {
        let files = config.included.files.iter();
        files.filter_map(|file| Some((self.short(file.problem.as_ref()?), file.apps()))).collect()
    }
}

fn names(config: &Config) -> Vec<&str> {
    config.pipeline.apps.iter().map(|app| &*app.token.name).collect()
}

#[test]
fn every_problem_of_every_file_is_named_with_file_line_and_column() {
    let folder = Folder::with(&[
        ("a.toml", &format!("{}hosts = ['a.internal']\n", app("a", 1))),
        ("b.toml", &format!("# b\n{}hosts = ['a.internal']\n", app("a", 1))),
        ("c.toml", "[server]\nworkers = 2\n[[ap]]\n"),
        ("d.toml", "include = 'e.toml'\n[[app]\n"),
        ("e.toml", "include = ['f.toml']\n[[limit]]\napp = 'nobody'\nrate = '1/s'\n"),
        ("f.toml", ""),
        ("g.toml", "[[caller]]\nname = '公众号'\nsecret = 1\nkey_sha256 = 'x'\napps = ['main']\n"),
        ("h.toml", &format!("\u{3000}{}", app("h", 8))),
        ("ignored.toml~", "["),
        (".hidden.toml", "["),
    ]);
    folder.write("i.toml", b"[[app]]\nname = '\xc3\xfb'\n");
    let main = format!("{MAIN}{}", app("main", 9));
    let problems = folder.start(&main).expect_err("refused");
    let said = folder.short(&problems);
    let expected = "\
apps.d/b.toml:3:8: app[0].name: is already used on line 2 of apps.d/a.toml, expected a different one
apps.d/b.toml:4:9: app[0].appid: is already used on line 3 of apps.d/a.toml, expected a different one
apps.d/b.toml:6:10: app[0].hosts[0]: is already used on line 5 of apps.d/a.toml, expected a different one
apps.d/c.toml:1:2: server: belongs in the main file, expected one of app, caller, limit, alert in an included one
apps.d/c.toml:3:3: ap: unknown key, did you mean \"app\"?
apps.d/d.toml:2:7: syntax: is not TOML: unclosed array table, expected `]`
apps.d/e.toml:1:1: include: belongs in the main file, expected one of app, caller, limit, alert in an included one
apps.d/e.toml:3:7: limit[0].app: \"nobody\" is not the name of an app, expected one of: main, a, a
apps.d/f.toml: the file is empty, expected [[app]]; to take its accounts out, remove it";
    assert!(said.starts_with(expected), "{said}");
    for more in [
        "apps.d/g.toml:2:8: caller[0].name: is not a name",
        "apps.d/g.toml:3:1: caller[0].secret: unknown key",
        "apps.d/h.toml:1:1: syntax: U+3000 is a blank of another kind",
        "apps.d/i.toml:2:9: syntax: the byte 0xC3 is not UTF-8",
    ] {
        assert!(said.contains(more), "{more}\n{said}");
    }
}

#[test]
fn files_of_several_patterns_are_read_once_and_in_the_order_of_their_names() {
    let folder =
        Folder::with(&[("b.toml", &app("b", 2)), ("a.toml", &app("a", 1)), ("x.conf", &app("x", 3))]);
    let main =
        "include = ['apps.d/b.toml', 'apps.d/*.toml', './apps.d/../apps.d/a*', 'apps.d/x.conf', '*.toml']\n";
    std::fs::write(folder.path("wxgate.toml"), main).expect("written");
    let config = folder.started(main);
    let mut found = names(&config);
    found.sort_unstable();
    assert_eq!(found, ["a", "b", "x"]);
    assert_eq!(config.warnings, []);
}

#[test]
fn an_empty_folder_is_fine_and_one_that_is_not_there_is_warned_of() {
    let folder = Folder::with(&[]);
    let main = format!("include = ['apps.d/*.toml', 'none.d/*.toml', 'apps.d/one.toml']\n{}", app("main", 9));
    let config = folder.started(&main);
    let warnings: Vec<_> = config.warnings.iter().map(|warning| folder.short(warning)).collect();
    assert_eq!(
        warnings,
        [
            "wxgate.toml:1:29: include[1]: warning: the folder none.d does not exist",
            "wxgate.toml:1:46: include[2]: warning: the file apps.d/one.toml does not exist",
        ]
    );
    let refused = folder.start(&format!("include = ['*/a.toml', 'apps.d/']\n{}", app("main", 9)));
    let refused = folder.short(refused.expect_err("no patterns"));
    assert!(
        refused.contains("include[0]: has a wildcard") && refused.contains("include[1]: names no file"),
        "{refused}"
    );
    let misplaced = folder.start(&format!("[server]\n{MAIN}{}", app("main", 9))).expect_err("misplaced");
    assert!(
        folder.short(&misplaced).contains("server.include: belongs at the top of the file"),
        "{misplaced}"
    );
}

#[test]
fn secrets_start_at_the_file_that_names_them() {
    let folder =
        Folder::with(&[("a.toml", &app("a", 1).replace("env = 'SHOP_SECRET'", "file = 'a.secret'"))]);
    folder.write("a.secret", "s3cret\n");
    let config = folder.started(MAIN);
    assert_eq!(config.pipeline.apps[0].token.secret.expose(), "s3cret");
    assert_eq!(config.secret_files[0].path, folder.path("apps.d/a.secret"));
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn a_broken_file_stays_as_it_was_and_the_others_are_taken() {
    let secret = |name: &str, number| app(name, number).replace("env = 'SHOP_SECRET'", "file = 'a.secret'");
    let folder =
        Folder::with(&[("a.toml", &secret("a", 1)), ("b.toml", &app("b", 2)), ("c.toml", &app("c", 3))]);
    folder.write("a.secret", "s3cret");
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);

    // The secret's file is gone, one file is no TOML, one is new, one is gone.
    folder.remove("a.secret");
    folder.write("b.toml", "[[app]]\nname = 'b\n");
    folder.remove("c.toml");
    folder.write("d.toml", app("d", 4));
    let second = folder.reloaded(&main, &first);
    assert_eq!(names(&second), ["main", "a", "b", "d"]);
    assert_eq!(second.pipeline.apps[1].token.secret.expose(), "s3cret", "as it was");
    let rejected = folder.rejected(&second);
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert_eq!(
        rejected[0],
        (
            "apps.d/a.toml:4:19: app[0].secret.file: the file a.secret does not exist".to_owned(),
            vec!["a".to_owned()]
        )
    );
    assert!(rejected[1].0.starts_with("apps.d/b.toml:2:10: syntax: is not TOML"), "{rejected:?}");
    let changes: Vec<_> = second.included.changes(&first.included);
    let (gone, added) = (folder.path("apps.d/c.toml"), folder.path("apps.d/d.toml"));
    let shown = |path: PathBuf| path.display().to_string().into();
    assert!(changes.contains(&FileChange::Gone { path: shown(gone), removed: vec!["c".into()] }));
    let taken =
        FileChange::Taken { path: shown(added), added: vec!["d".into()], changed: vec![], removed: vec![] };
    assert!(changes.contains(&taken), "{changes:?}");

    // Once the secret is there again, that is a change.
    assert!(second.secret_files.iter().any(|file| file.path == folder.path("apps.d/a.secret")));
    folder.write("a.secret", "t0ken");
    folder.write("b.toml", format!("{}{}", app("b", 2).replace("name", "hosts = ['b']\nname"), app("b2", 5)));
    let third = folder.reloaded(&main, &second);
    assert_eq!(names(&third), ["main", "a", "b", "b2", "d"]);
    assert_eq!(third.pipeline.apps[1].token.secret.expose(), "t0ken");
    assert_eq!(folder.rejected(&third), []);
    let of_b = third
        .included
        .changes(&second.included)
        .into_iter()
        .find(|change| matches!(change, FileChange::Taken { path, .. } if path.ends_with("b.toml")));
    let Some(FileChange::Taken { added, changed, removed, .. }) = of_b else { panic!("{of_b:?}") };
    assert_eq!((added, changed, removed), (vec!["b2".into()], vec!["b".into()], vec![]));
    // A start would read what is there now.
    folder.start(&main).expect("all is well");
}

#[test]
fn a_secret_that_is_no_secret_asks_for_no_reload_until_it_changes() {
    let folder = Folder::with(&[]);
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);
    folder.write("a.toml", app("a", 1).replace("env = 'SHOP_SECRET'", "file = 'a.secret'"));
    for contents in ["", "two words", &"x".repeat(5000)] {
        folder.write("a.secret", contents);
        let second = folder.reloaded(&main, &first);
        assert_eq!(folder.rejected(&second).len(), 1);
        assert_eq!(second.secret_files[0].digest, digest(contents.as_bytes()), "{}", contents.len());
    }
}

#[test]
fn a_newcomer_is_blamed_for_what_another_file_has_already() {
    let folder = Folder::with(&[("m.toml", &app("shop", 1))]);
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);
    // It comes first by its name.
    folder.write("a.toml", app("shop", 2));
    let second = folder.reloaded(&main, &first);
    assert_eq!(names(&second), ["main", "shop"]);
    assert_eq!(
        folder.rejected(&second),
        [(
            "apps.d/a.toml:2:8: app[0].name: is already used on line 2 of apps.d/m.toml, expected a different one".to_owned(),
            vec![]
        )]
    );
    // A main file that takes a name is the newcomer itself: it is refused.
    let greedy = folder.again(&format!("{main}{}", app("shop", 3)), &second.included).expect_err("refused");
    assert!(folder.short(&greedy).contains("is already used on line"), "{greedy}");
}

#[test]
fn two_files_may_swap_their_accounts_and_one_may_pass_one_on() {
    let folder = Folder::with(&[("a.toml", &app("one", 1)), ("b.toml", &app("two", 2))]);
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);
    folder.write("a.toml", app("two", 2));
    folder.write("b.toml", app("one", 1));
    let second = folder.reloaded(&main, &first);
    assert_eq!((names(&second), folder.rejected(&second)), (vec!["main", "two", "one"], vec![]));
    folder.remove("a.toml");
    folder.write("b.toml", format!("{}{}", app("one", 1), app("two", 2)));
    let third = folder.reloaded(&main, &second);
    assert_eq!((names(&third), folder.rejected(&third)), (vec!["main", "one", "two"], vec![]));
}

#[test]
fn an_app_that_another_file_names_is_not_taken_out() {
    let limit = "[[limit]]\napp = 'a'\nrate = '5/s'\n";
    let folder = Folder::with(&[("a.toml", &app("a", 1)), ("b.toml", limit), ("c.toml", &app("c", 3))]);
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);
    folder.remove("a.toml");
    folder.remove("c.toml");
    let second = folder.reloaded(&main, &first);
    assert_eq!(names(&second), ["main", "a"]);
    let still =
        "apps.d/a.toml: the file is gone, but its a is still named at apps.d/b.toml:2:7 (limit[0].app)";
    assert_eq!(folder.rejected(&second), [(still.to_owned(), vec!["a".to_owned()])]);
    // Renamed within its file, it is missed alike.
    folder.write("a.toml", app("renamed", 1));
    let third = folder.reloaded(&main, &second);
    let (said, apps) = &folder.rejected(&third)[0];
    assert!(
        said.starts_with("apps.d/a.toml: no longer has a, which is still named at apps.d/b.toml"),
        "{said}"
    );
    assert_eq!(*apps, ["a"]);
    // What is wrong in the file is told before what it lacks for that.
    folder.write("a.toml", "[[app\n");
    let broken = folder.reloaded(&main, &second);
    let (said, apps) = &folder.rejected(&broken)[0];
    assert!(said.starts_with("apps.d/a.toml:1:"), "{said}");
    assert_eq!(*apps, ["a"]);
    // With the limit gone too, so is the app.
    folder.remove("a.toml");
    folder.remove("b.toml");
    let last = folder.reloaded(&main, &third);
    assert_eq!((names(&last), last.included.files.len()), (vec!["main"], 0));
    // The main file's own names count alike.
    let caller = format!("{main}[[caller]]\nname = 'x'\nkey_sha256 = '{}'\napps = ['d']\n", "0a".repeat(32));
    folder.write("d.toml", app("d", 4));
    let named = folder.reloaded(&caller, &last);
    folder.remove("d.toml");
    let kept = folder.reloaded(&caller, &named);
    assert_eq!(names(&kept), ["main", "d"]);
    assert!(
        folder.rejected(&kept)[0].0.contains("still named at wxgate.toml:"),
        "{:?}",
        folder.rejected(&kept)
    );
}

#[test]
fn a_second_account_file_does_not_take_the_default_away_unsaid() {
    let folder = Folder::with(&[("shop.toml", &app("shop", 1))]);
    let first = folder.started(MAIN);
    assert!(first.pipeline.default_app().is_some());
    folder.write("game.toml", app("game", 2));
    let second = folder.reloaded(MAIN, &first);
    assert_eq!(names(&second), ["shop"]);
    assert!(second.pipeline.default_app().is_some());
    assert_eq!(
        folder.rejected(&second),
        [(
            "apps.d/game.toml:1:1: app: with this app, shop would no longer serve requests that name no app: add \
             `default = true` to the [[app]] named shop, or `default = false` for no default"
                .to_owned(),
            vec![]
        )]
    );
    folder.write("shop.toml", format!("{}default = true\n", app("shop", 1)));
    let third = folder.reloaded(MAIN, &second);
    assert_eq!((names(&third), folder.rejected(&third)), (vec!["game", "shop"], vec![]));
    // Nor does it go with its file.
    folder.write("last.toml", app("last", 3));
    let third = folder.reloaded(MAIN, &third);
    folder.remove("shop.toml");
    let mut fourth = folder.reloaded(MAIN, &third);
    assert_eq!(names(&fourth), ["game", "last", "shop"]);
    assert!(
        folder.rejected(&fourth)[0]
            .0
            .starts_with("apps.d/shop.toml: app shop serves requests that name no app")
    );
    folder.write("shop.toml", format!("{}default = false\n", app("shop", 1)));
    fourth = folder.reloaded(MAIN, &fourth);
    folder.remove("shop.toml");
    assert_eq!(names(&folder.reloaded(MAIN, &fourth)), ["game", "last"]);
}

#[test]
fn a_folder_that_is_lost_takes_no_account_with_it() {
    let folder = Folder::with(&[("a.toml", &app("a", 1)), ("b.toml", &app("b", 2))]);
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);
    std::fs::rename(folder.path("apps.d"), folder.path("lost")).expect("renamed");
    let second = folder.reloaded(&main, &first);
    assert_eq!(names(&second), ["main", "a", "b"]);
    let said = "apps.d/a.toml: the folder apps.d does not exist".to_owned();
    assert_eq!(folder.rejected(&second)[0], (said, vec!["a".to_owned()]));
    std::fs::rename(folder.path("lost"), folder.path("apps.d")).expect("renamed");
    let third = folder.reloaded(&main, &second);
    assert_eq!((names(&third), folder.rejected(&third)), (vec!["main", "a", "b"], vec![]));
    // What is no longer included is gone.
    let without = main.replace(MAIN, "");
    assert_eq!(names(&folder.reloaded(&without, &third)), ["main"]);
}

#[test]
fn whatever_stands_in_a_files_place_is_named_and_its_accounts_stay() {
    let folder = Folder::with(&[]);
    let kinds = ["dir", "empty", "loop", "huge", "dangling", "gbk", "fine", "crlf", "bom"];
    for (number, name) in kinds.into_iter().enumerate() {
        folder.write(&format!("{name}.toml"), app(name, number));
    }
    let main = format!("{MAIN}{}default = true\n", app("main", 99));
    let first = folder.started(&main);
    let path = |name: &str| folder.path("apps.d").join(format!("{name}.toml"));
    for name in ["dir", "loop", "dangling"] {
        std::fs::remove_file(path(name)).expect("removed");
    }
    std::fs::create_dir(path("dir")).expect("a folder");
    symlink("loop.toml", path("loop")).expect("linked");
    symlink("nowhere", path("dangling")).expect("linked");
    folder.write("empty.toml", "");
    folder.write("huge.toml", " ".repeat(10 << 20));
    folder.write("gbk.toml", b"name = '\xc3\xfb'");
    folder.write("crlf.toml", app("crlf", 7).replace('\n', "\r\n"));
    folder.write("bom.toml", format!("\u{feff}{}", app("bom", 8)));
    let second = folder.reloaded(&main, &first);
    assert_eq!(names(&second).len(), 10);
    let mut said = String::new();
    for (problem, apps) in folder.rejected(&second) {
        let _ = writeln!(said, "{problem} {apps:?}");
    }
    for (name, what) in [
        ("dangling", ": the file does not exist"),
        ("dir", ": the file is a directory"),
        ("empty", ": the file is empty"),
        ("gbk", ":1:9: syntax: the byte 0xC3 is not UTF-8"),
        ("huge", ": the file is longer than 1048576 bytes"),
        ("loop", ": the file cannot be read"),
    ] {
        let line = said.lines().find(|line| line.starts_with(&format!("apps.d/{name}.toml{what}")));
        assert!(line.is_some_and(|line| line.ends_with(&format!("[\"{name}\"]"))), "{name}: {said}");
    }
    assert_eq!(said.lines().count(), 6, "{said}");
}

#[test]
fn a_file_that_may_not_be_read_is_broken_and_not_gone() {
    let folder = Folder::with(&[("a.toml", &app("a", 1))]);
    let main = format!("{MAIN}{}default = true\n", app("main", 9));
    let first = folder.started(&main);
    let path = folder.path("apps.d/a.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o0)).expect("closed");
    if std::fs::read(&path).is_ok() {
        // Root reads everything.
        return;
    }
    let second = folder.reloaded(&main, &first);
    assert_eq!(names(&second), ["main", "a"]);
    assert!(folder.rejected(&second)[0].0.ends_with("may not be read by this user"));
}

#[test]
fn a_look_shows_what_has_changed_and_nothing_else() {
    let folder = Folder::with(&[("a.toml", &app("a", 1))]);
    let watched = folder.started(MAIN).included.watched;
    assert_eq!(watched.look(), watched);
    folder.write(".a.toml.swp", "x");
    folder.write("a.toml~", "x");
    assert_eq!(watched.look(), watched);
    folder.write("a.toml", format!("{} ", app("a", 1)));
    let changed = watched.look();
    assert_ne!(changed, watched);
    assert_eq!(changed.look(), changed);
    // As Kubernetes swaps them.
    folder.remove("a.toml");
    for (name, number) in [("one", 1), ("two", 2)] {
        std::fs::create_dir(folder.path("apps.d").join(name)).expect("a folder");
        folder.write(&format!("{name}/a.toml"), app("a", number));
    }
    symlink("one", folder.path("apps.d/..data")).expect("linked");
    symlink("..data/a.toml", folder.path("apps.d/a.toml")).expect("linked");
    let before = changed.look();
    symlink("two", folder.path("apps.d/..new")).expect("linked");
    std::fs::rename(folder.path("apps.d/..new"), folder.path("apps.d/..data")).expect("swapped");
    assert_ne!(before.look(), before);
}
