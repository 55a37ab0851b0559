//! No circle of files: two that use each other, or a chain of them, can only be understood and changed
//! together. Held by reading the sources: their `use` lines and the paths in their code. What a file
//! takes from the modules that it lies in does not count, nor what tests use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use crate::layering::rust_files;

/// A module by the names of the modules that it lies in, and its own.
type Module = Vec<String>;

#[test]
fn no_files_use_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let texts = rust_files(&src).into_iter().map(|file| {
        let text = fs::read_to_string(&file).expect("a source file");
        let file = file.strip_prefix(&src).expect("under src");
        (file.to_string_lossy().into_owned(), text)
    });
    let sources = Sources::read(texts);
    let uses = sources.uses();
    let number: usize = uses.values().map(BTreeSet::len).sum();
    assert!(number > 300, "only {number} uses were found");
    let circles = circles(&uses);
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn circles_are_found_however_uses_are_written() {
    let found = |files: &[(&str, &str)]| {
        let texts = files
            .iter()
            .map(|(f, t)| ((*f).to_owned(), format!("{t}\n")));
        circles(&Sources::read(texts).uses())
    };
    let back = ("b.rs", "use crate::a::A;");
    for text in [
        "use crate::b::B;",
        "use super::b::{self, B as C};",
        "pub(crate) fn f() {\n    use crate::{\n        b::{B, C},\n    };\n}",
        "fn f() -> crate::b::B {}",
        "use crate::c::{d::D, B};",
    ] {
        let c = ("c/mod.rs", "mod d;\npub use crate::b::B;");
        let files = [("a.rs", text), back, c, ("c/d.rs", "")];
        assert_eq!(found(&files), ["a -> b -> a"], "{text}");
    }
    for text in [
        "// use crate::b::B;",
        "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}",
        "#[cfg(test)]\nuse crate::b::B;",
        "use other::b::B;",
    ] {
        assert!(found(&[("a.rs", text), back]).is_empty(), "{text}");
    }
    let by_a_child = [
        ("a.rs", "use crate::b::B;"),
        ("b/mod.rs", "mod c;\nfn f() { c::f() }"),
        ("b/c.rs", "use super::B;\nuse crate::a::A;"),
    ];
    assert_eq!(found(&by_a_child), ["a -> b -> b/c -> a"]);
    let of_tests = [
        (
            "a.rs",
            "#[cfg(test)]\npub(crate) mod model;\nuse crate::b::B;",
        ),
        ("a/model.rs", ""),
        ("b.rs", ""),
        ("a/model/x.rs", "use crate::b::B;"),
    ];
    assert!(found(&of_tests).is_empty());
}

/// The modules with their code, without comments and tests.
struct Sources {
    code: BTreeMap<Module, String>,
    /// What `pub use` gives another place: where it is found, and where it stands.
    moved: BTreeMap<Module, Module>,
}

impl Sources {
    fn read(files: impl Iterator<Item = (String, String)>) -> Self {
        let mut of_tests = Vec::new();
        let mut code = BTreeMap::new();
        for (file, text) in files {
            let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
            let module: Module = match path {
                "lib" => Module::new(),
                "main" => continue,
                path => path.split('/').map(str::to_owned).collect(),
            };
            let (own, tests) = without_tests(&text);
            of_tests.extend(tests.into_iter().map(|name| child(&module, &name)));
            code.insert(module, own);
        }
        code.retain(|module, _| !of_tests.iter().any(|tests| module.starts_with(tests)));
        let mut sources = Self {
            code,
            moved: BTreeMap::new(),
        };
        for (module, code) in &sources.code {
            let (lines, _) = split_uses(code);
            for (_, tree) in lines.into_iter().filter(|(is_pub, _)| *is_pub) {
                for (path, name) in expand(&tree) {
                    if let Some(target) = sources.absolute(module, &path) {
                        sources.moved.insert(child(module, &name), target);
                    }
                }
            }
        }
        sources
    }

    /// Which modules each uses, but for those that it lies in.
    fn uses(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |(module, code): (&Module, &String)| {
            let (lines, other) = split_uses(code);
            let lines = lines.into_iter().filter(|(is_pub, _)| !is_pub);
            let used = lines.flat_map(|(_, tree)| expand(&tree));
            let used = used.map(|(path, _)| path).chain(paths(&other));
            let used = used.filter_map(|path| self.module_of(self.absolute(module, &path)?));
            let used = used.filter(|used| !module.starts_with(used)).collect();
            (module.clone(), used)
        };
        self.code.iter().map(of).collect()
    }

    /// A path from the root; none if it leads to another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Module::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {}
            name => drop(self.code.get(&child(module, name))?),
        }
        while let [first, after @ ..] = rest
            && first == "super"
        {
            base.pop();
            rest = after;
        }
        base.extend(rest.iter().filter(|name| *name != "self").cloned());
        Some(base)
    }

    /// The module that what `path` names stands in.
    fn module_of(&self, mut path: Module) -> Option<Module> {
        for _ in 0..8 {
            let known = (0..=path.len()).rev();
            let end = known
                .into_iter()
                .find(|end| self.code.contains_key(&path[..*end]))?;
            match self.moved.get(&path[..path.len().min(end + 1)]) {
                Some(target) if end < path.len() => {
                    path = [&target[..], &path[end + 1..]].concat();
                }
                _ => return Some(path[..end].to_vec()),
            }
        }
        None
    }
}

/// The shortest circle through each module that is in one, each once.
fn circles(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for start in uses.keys() {
        let mut from: BTreeMap<&Module, &Module> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(module) = queue.pop_front() {
            for next in &uses[module] {
                if !from.contains_key(next) {
                    from.insert(next, module);
                    queue.push_back(next);
                }
            }
        }
        let mut chain = Vec::new();
        let mut at = from.get(start).copied();
        while let Some(module) = at {
            chain.push(module);
            at = from.get(module).copied().filter(|_| module != start);
        }
        chain.reverse();
        if !chain.is_empty() && seen.insert(chain.iter().copied().collect::<BTreeSet<_>>()) {
            let names: Vec<_> = chain.iter().chain([&start]).map(|m| m.join("/")).collect();
            found.push(names.join(" -> "));
        }
    }
    found
}

/// A text without comments and without what is for tests alone, and the names of the modules in other
/// files that are.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut code, mut tests) = (String::new(), Vec::new());
    let mut lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line));
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            code += line;
            code.push('\n');
            continue;
        }
        // The item ends with the first line that is not indented and closes it.
        let ends = |line: &str| !line.starts_with(' ') && (line.ends_with(';') || line == "}");
        let Some(last) = lines.by_ref().find(|line| ends(line)) else {
            break;
        };
        if let Some((_, name)) = last.trim_end_matches(';').split_once("mod ") {
            tests.push(name.to_owned());
        }
    }
    (code, tests)
}

/// Each `use`, by whether it gives what it names another place, and its tree; then the other code.
fn split_uses(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut found, mut other, mut done) = (Vec::new(), String::new(), 0);
    for (at, _) in code.match_indices("use ") {
        let line = &code[code[..at].rfind('\n').map_or(0, |end| end + 1)..at];
        let is_pub = line.starts_with("pub");
        if let Some(end) = code[at..].find(';')
            && (is_pub || line.trim().is_empty())
            && at >= done
        {
            let tree = code[at + 4..at + end].split_whitespace();
            found.push((is_pub, tree.collect::<Vec<_>>().join(" ")));
            other += &code[done..at];
            done = at + end;
        }
    }
    other += &code[done..];
    (found, other)
}

/// The paths of a `use`, each with the name that it gets.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let Some((before, group)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path: Vec<String> = path
            .split("::")
            .map(|name| name.trim().to_owned())
            .collect();
        let last = path.iter().rev().find(|name| *name != "self");
        let name = if name.is_empty() {
            last.cloned().unwrap_or_default()
        } else {
            name.to_owned()
        };
        return vec![(path, name)];
    };
    // One without an end is the text of a string.
    let group = group.strip_suffix('}').unwrap_or_default();
    let mut depth = 0;
    let items = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    items
        .filter(|item| !item.trim().is_empty())
        .flat_map(|item| expand(&format!("{before}{}", item.trim())))
        .collect()
}

/// The paths in the code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let words = code.split(|c: char| !is_name(c) && !matches!(c, ':' | '$'));
    for path in words.filter(|word| word.contains("::") && !word.starts_with([':', '$'])) {
        found.push(path.split("::").map(str::to_owned).collect());
    }
    found
}

fn child(module: &Module, name: &str) -> Module {
    [&module[..], &[name.to_owned()]].concat()
}
