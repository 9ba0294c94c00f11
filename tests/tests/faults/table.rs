//! The table of faults names tests that exist.

use std::fs;
use std::path::Path;

/// The file that `target::module::test` is in.
fn file_of(target: &str, module: Option<&str>) -> String {
    match (target, module) {
        ("core", Some(module)) => format!("crates/millpond-core/src/tests/{module}.rs"),
        ("loom", Some(module)) => format!("crates/millpond/src/loom_models/{module}.rs"),
        (target, Some(module)) => format!("tests/tests/{target}/{module}.rs"),
        (target, None) => format!("tests/tests/{target}.rs"),
    }
}

#[test]
fn every_test_in_the_table_of_faults_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let table = fs::read_to_string(root.join("tests/README.md")).expect("the table is there");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let names: Vec<_> = rows
        .filter_map(|row| row.trim_end_matches('|').rsplit('|').next())
        .flat_map(|shown_by| shown_by.split('`').skip(1).step_by(2))
        .collect();
    assert!(names.len() > 80, "{names:?}");
    for name in names {
        let parts: Vec<_> = name.split("::").collect();
        let (file, test) = match parts[..] {
            [target, module, test] => (file_of(target, Some(module)), test),
            [target, test] => (file_of(target, None), test),
            _ => panic!("`{name}` is no name of a test"),
        };
        let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}")), "`{name}` is not in {file}");
    }
}
