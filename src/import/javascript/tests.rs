//! What is read as a list of paths, and what is refused.

use super::*;

#[test]
fn a_literal_list_is_read_however_it_is_exported() {
    for text in [
        "module.exports = ['/a', \"/b\"];",
        "\u{feff}module.exports.paths=['/a','/b',]\r\n",
        "export default [\n  // the first\n  '/a', /* and ['x'] */ `/b`,\n]\n",
        "'use strict'\nconst protectedRoutes = ['/a', '/b']\nmodule.exports = { protectedRoutes, first: protectedRoutes[0] }",
        "exports.list = Object.freeze(['/a', '/b'])",
        "\"use strict\";\nvar list = Object.freeze(['/a', '\\/b']);\nmodule.exports = list;\nmodule.exports.list = list;",
        "module.exports = { protectedRoutes: ['/a', '/b'] };",
        "export const list = ['/a', '/b']; export default list",
        "let list = ['/a', '/b']; export { list as paths, };",
        "const list: readonly string[] = ['/a', '/b'] as const;\nexport = list;",
    ] {
        assert_eq!(
            literal_list(text),
            Ok(vec!["/a".into(), "/b".into()]),
            "{text}"
        );
    }
    assert_eq!(literal_list("module.exports = []"), Ok(Vec::new()));
}

#[test]
fn what_would_have_to_be_run_is_refused() {
    for (text, wrong) in [
        ("module.exports = {}", NoList::None),
        ("module.exports = require('./paths')", NoList::None),
        ("\nmodule.exports = ['/a', path]", NoList::NotLiteral(2)),
        ("module.exports = [\n'/a',\n'/' + b]", NoList::NotLiteral(3)),
        ("module.exports = ['/a' + '/b']", NoList::NotLiteral(1)),
        ("module.exports = ['/a' '/b']", NoList::NotLiteral(1)),
        ("module.exports = ['/a',,'/b']", NoList::NotLiteral(1)),
        ("module.exports = [`/a${x}`]", NoList::NotLiteral(1)),
        ("module.exports = ['/\\x61']", NoList::NotLiteral(1)),
        ("module.exports = [...other, '/a']", NoList::NotLiteral(1)),
        ("module.exports = ['/a'", NoList::NotLiteral(1)),
    ] {
        assert_eq!(literal_list(text), Err(wrong), "{text}");
    }
}

#[test]
fn what_could_change_the_list_is_refused() {
    for text in [
        "const x = ['/a'];\nx.push('/b'); module.exports = x;",
        "const x = ['/a']; module.exports = x;\nx.splice(0, 0, '/b')",
        "const p = ['/a']\np[1] = '/b'\nmodule.exports = p",
        "const p = ['/a']\np[p.length] = '/b'\nmodule.exports = p",
        "let p = ['/a'];\np = p.concat(extra); module.exports = p",
        "const list = ['/a'];\nif (process.env.ADMIN) list.push('/b'); module.exports = list",
        "module.exports = ['/a'];\nmodule.exports.unshift('/b')",
        "module.exports = ['/a'];\nmodule.exports[1] = '/b'",
        "module.exports = ['/a'] // the rest:\u{2028}\n.concat('/b')",
        "module.exports = ['/a']\n['/b', '/c']",
        "module.exports = ['/a']\n/* ['/b']",
        "const x = ['/a'];\nconst y = ['/b']; module.exports = x",
        "const x = ['/a'], z =\n['/b']; module.exports = x",
        "const x = ['/a'];\nmodule.exports = y",
        "const x = ['/a'];\nmodule.exports = {}",
        "module.exports = { paths: ['/a'],\nprefix: '/b' }",
    ] {
        let wrong = literal_list(text).expect_err(text);
        assert!(matches!(wrong, NoList::Beyond(1 | 2)), "{text}: {wrong}");
    }
    for text in [
        "module.exports = ['/a'].concat('/b')",
        "module.exports = ['/a'].concat(require('./more'))",
        "module.exports = ['/orders', '/admin'].map(p => '/api' + p)",
        "module.exports = new Set(['/a'])",
        "const s = new Set(['/a']); s.add('/b'); module.exports = s",
        "module.exports = p => p.startsWith('/b') || ['/a'].includes(p)",
        "module.exports = { '/api/admin': ['POST'] }",
        "module.exports = { ['/b']: ['/a'] }",
        "module.exports = ['/a'] // more\u{2028}.concat('/b')",
        "module.exports = ['/a'] // more\r.concat('/b')",
        "module.exports = { get list() { return ['/a'] } }",
        "module.exports = { ...other, list: ['/a'] }",
        "module.exports = Object.freeze(['/a'], f())",
        "module.exports = Object.assign(['/a'], ['/b'])",
        "#!/usr/bin/node\nmodule.exports = ['/a']",
        "'use strict' + ['/a']",
    ] {
        assert_eq!(literal_list(text), Err(NoList::Beyond(1)), "{text}");
    }
}
