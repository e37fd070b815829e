//! Chinese texts use the glossary's words (`docs/zh/glossary.md`), and none that it rules out.

use super::tree::Tree;

/// What is not said, what is said instead, and where the characters mean something else.
const RULED_OUT: [(&str, &str, &[&str]); 17] = [
    ("令牌", "token", &["令牌桶"]),
    ("额度", "限额 (wxgate's own), 配额 (WeChat's)", &[]),
    ("预算", "限额 (wxgate's own), 配额 (WeChat's)", &[]),
    ("重放", "重试", &[]),
    ("重发", "重试", &[]),
    ("重新发送", "重试", &[]),
    ("代数", "版本号", &[]),
    ("世代", "版本号", &[]),
    ("实例", "副本", &[]),
    ("应答", "响应", &[]),
    ("回答", "响应", &[]),
    ("干扰", "token 被他人刷新", &["不会干扰", "互不干扰"]),
    ("租用", "直接取 token", &[]),
    ("两种读法", "歧义", &[]),
    ("admin token", "管理 token", &[]),
    ("seal key", "加密密钥", &[]),
    ("API 密钥", "API key", &[]),
];

/// Where the code's Chinese is, each sentence with its English.
const TEXTS: &str = "src/texts/chinese";

/// Other shipped Chinese texts that are no pages.
const SHIPPED: [&str; 8] = [
    "config/wxgate.zh-CN.toml",
    "deploy/grafana/wxgate.json",
    "deploy/prometheus/alerts.yml",
    "docs/reference/configuration.toml",
    "docs/reference/logs.toml",
    "docs/reference/metrics.toml",
    "docs/reference/refusals.toml",
    "src/admin/page/texts.js",
];

fn problems(tree: &Tree) -> Vec<String> {
    let is_chinese = |name: &str| name.starts_with("docs/zh/") || name == "README.zh-CN.md";
    let pages = tree.pages.iter().filter(|page| is_chinese(&page.name));
    let mut found: Vec<_> = pages.flat_map(|page| told(&page.name, &page.text)).collect();
    for name in SHIPPED {
        // That each is there is the business of those who ship it.
        if let Ok(text) = std::fs::read_to_string(tree.root.join(name)) {
            found.extend(told(name, &text));
        }
    }
    for entry in std::fs::read_dir(tree.root.join(TEXTS)).into_iter().flatten().flatten() {
        let name = format!("{TEXTS}/{}", entry.file_name().to_string_lossy());
        found.extend(told(&name, &std::fs::read_to_string(entry.path()).unwrap()));
    }
    found.sort();
    found
}

fn told(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in
        text.lines().enumerate().filter(|(_, line)| line.chars().any(super::chinese::is_chinese))
    {
        for (word, right, meant) in RULED_OUT {
            // English beside its Chinese is as the code has it.
            let is_english = word.is_ascii() && name.starts_with(TEXTS);
            let rest = meant.iter().fold(line.to_owned(), |line, other| line.replace(other, ""));
            if rest.contains(word) && !is_english {
                found.push(format!("{name}:{}: {word}, expected {right}", number + 1));
            }
        }
    }
    found
}

#[test]
fn chinese_texts_use_the_words_of_the_glossary() {
    let tree = Tree::real();
    for name in SHIPPED {
        assert!(tree.root.join(name).is_file(), "{name} is gone");
    }
    assert!(tree.root.join(TEXTS).join("cli.rs").is_file(), "{TEXTS} is gone");
    tree.holds("the words of the glossary", problems);
}

#[test]
fn a_word_that_the_glossary_rules_out_is_found() {
    let tree = Tree::of(&[
        ("README.zh-CN.md", "# wxgate\n\n令牌桶不算。\n\n令牌和令牌桶。\n"),
        ("docs/zh/a.md", "# 甲\n\nan admin token in English\n\n配置 admin token，互不干扰。\n"),
        ("docs/en/a.md", "# A\n\n额度\n"),
        ("config/wxgate.zh-CN.toml", "# 每日额度\n"),
        ("src/texts/chinese/cli.rs", "(\"the admin token\", \"管理 token\"),\n(\"a replay\", \"重放\"),\n"),
    ]);
    assert_eq!(
        problems(&tree),
        [
            "README.zh-CN.md:5: 令牌, expected token",
            "config/wxgate.zh-CN.toml:1: 额度, expected 限额 (wxgate's own), 配额 (WeChat's)",
            "docs/zh/a.md:5: admin token, expected 管理 token",
            "src/texts/chinese/cli.rs:2: 重放, expected 重试",
        ]
    );
}
