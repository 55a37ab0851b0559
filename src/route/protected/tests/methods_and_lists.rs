//! For which methods a path is protected, and which lists of clients are asked.

use super::super::*;
use super::entry;

#[test]
fn methods_are_compared_without_case_and_get_takes_head_along() {
    let of = |methods: &[Method]| {
        let only = ProtectedPrefix {
            methods: methods.to_vec(),
            ..entry("/a")
        };
        ProtectedPrefixes::new(vec![only], Vec::new())
    };
    let method = |text: &str| Method::from_bytes(text.as_bytes()).unwrap();
    for (methods, asked, protected) in [
        (&[Method::POST][..], "POST", true),
        (&[Method::POST], "post", true),
        (&[Method::POST], "GET", false),
        (&[Method::GET], "HEAD", true),
        (&[Method::GET], "head", true),
        (&[Method::HEAD], "GET", false),
        (&[Method::GET, Method::PUT], "PUT", true),
    ] {
        let prefixes = of(methods);
        let found = prefixes.find("/A/x", Some(&method(asked)));
        assert_eq!(found.is_some(), protected, "{methods:?} {asked}");
        assert!(prefixes.find("/a", None).is_none(), "not from all methods");
    }
}

#[test]
fn every_list_that_covers_a_path_is_asked() {
    let of = |prefix: &str, list: usize| ProtectedPrefix {
        allow: Some(list),
        ..entry(prefix)
    };
    let prefixes = vec![entry("/"), of("/a", 1), of("/a/b", 2), of("/c", 3)];
    let public = vec![PathPrefix::parse("/a/b/c").unwrap()];
    let prefixes = ProtectedPrefixes::new(prefixes, public);
    let asked = |path: &str| {
        let mut asked = Vec::new();
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        prefixes.find_restricted(&path, &Method::GET, false, |_, list| {
            asked.push(list);
            None::<()>
        });
        asked.sort_unstable();
        asked.dedup();
        asked
    };
    assert_eq!(asked("/a/b/x"), [1, 2]);
    assert_eq!(asked("/A;x/%62/x"), [1, 2]);
    assert_eq!(asked("/a"), [1]);
    assert_eq!(asked("/x"), [0; 0]);
    assert_eq!(asked("/a/b/c/d"), [0; 0], "lifted");
    assert_eq!(asked("/a/b/C"), [1, 2]);
}
