//! Every block that is marked `parsed` is taken by what reads its language.

mod configuration;
mod data;
mod script;

pub(super) use self::configuration::StandIns;
use super::marks::{Mark, counts, marked};
use super::tree::Tree;

fn problems(tree: &Tree) -> Vec<String> {
    let stand_ins = StandIns::new();
    let mut found = Vec::new();
    for page in &tree.pages {
        for (line, block) in marked(page, Mark::Parsed) {
            let text = &block.text;
            let read = match block.language() {
                "toml" => stand_ins.load(text),
                "json" => data::json(text),
                "yaml" => data::yaml(text),
                "xml" => data::xml(text),
                "properties" | "ini" => data::properties(text),
                "sh" => script::sh(text),
                "python" => script::python(text),
                "js" => script::js(text),
                language => Err(format!("nothing here parses {language}: mark it untried")),
            };
            if let Err(problem) = read {
                found.push(page.tell(line, problem.trim_end()));
            }
        }
    }
    found
}

#[test]
fn every_block_that_is_marked_parsed_is_understood() {
    let tree = Tree::real();
    tree.holds(&counts(&tree), problems);
}

#[test]
fn a_block_that_is_not_understood_is_found() {
    let good = "```toml parsed\n[server]\nmax_inflight = 10\n```\n```json parsed\n{\"a\": 1}\n{}\n```\n\
        ```yaml parsed\na: [1]\n---\nb: c\n```\n```xml parsed\n<a><b/>c</a>\n```\n```properties parsed\n# c\na.b=c\n```\n\
        ```ini parsed\n[Unit]\nA=b c\n```\n```sh parsed\nif true; then echo; fi\n```\n```python parsed\nawait_ = 1\n```\n\
        ```js parsed\nconst a = require('a');\n```\n```js parsed\nimport a from 'a';\nawait a();\n```\n";
    assert_eq!(problems(&Tree::of(&[("README.md", good)])), [""; 0]);
    let bad = [
        ("toml", "[server]\nmax_inflihgt = 10", "max_inflihgt"),
        ("toml", "[server\n", "unclosed table"),
        ("json", "{\"a\": ...}", "expected"),
        ("json", "", "nothing"),
        ("yaml", "a: [1", "flow sequence"),
        ("yaml", "a: 1\na: 2", "duplicated"),
        ("xml", "<a><b></a>", "b"),
        ("xml", "<a>", "<a>"),
        ("properties", "a b", "a b"),
        ("sh", "if true; then", "sh -n"),
        ("python", "def f(:", "SyntaxError"),
        ("js", "const = 1", "SyntaxError"),
        ("nginx", "a;", "nothing here parses nginx"),
    ];
    let page: String =
        bad.iter().map(|(language, text, _)| format!("```{language} parsed\n{text}\n```\n")).collect();
    let found = problems(&Tree::of(&[("README.md", &page)]));
    assert_eq!(found.len(), bad.len(), "{found:#?}");
    for ((language, _, told), found) in bad.iter().zip(&found) {
        assert!(found.starts_with("README.md:") && found.contains(told), "{language}: {found}");
    }
}
