//! QoE_live of our policy does not fall. After a gain, `cargo run --release -p tidegate-sim -- gate --write` commits it.

use std::io::Write;

use tidegate_sim::{corpus, gate};

#[test]
fn qoe_on_recorded_links_does_not_fall() {
    let folder = corpus::folder();
    let Some(recordings) = corpus::load(&folder).unwrap() else {
        // The made links below are the gate then; their figures are committed as well.
        // Written past the capture of test output: a gate that plays less says so.
        let text = format!("NO RECORDINGS in {}: the gate plays made links only\n", folder.display());
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return;
    };
    let subset = gate::subset(&recordings);
    let falls = gate::falls(&gate::committed().unwrap().recorded, &gate::measure(&subset));
    assert!(falls.is_empty(), "on {} recordings:\n{falls}", subset.len());
}

#[test]
fn qoe_on_made_links_does_not_fall() {
    let falls = gate::falls(&gate::committed().unwrap().made, &gate::measure_made().unwrap());
    assert!(falls.is_empty(), "on made links:\n{falls}");
}

#[test]
fn fall_is_named_with_its_setting_and_set() {
    let mut figures = gate::committed().unwrap().made;
    let before = figures.clone();
    assert_eq!(gate::falls(&before, &figures), "");
    let figure = figures.get_mut("live6").unwrap();
    figure.mean -= 0.01;
    *figure.sets.get_mut("steps").unwrap() -= 0.05;
    let falls = gate::falls(&before, &figures);
    assert!(falls.contains("live6: QoE_live") && falls.contains("live6, steps"), "{falls}");
}
