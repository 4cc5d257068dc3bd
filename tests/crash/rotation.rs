//! kill -9 at any moment of `leadgen key rotate`: the keys at hand open everything, and another run brings it to its end.

use std::path::Path;
use std::time::Duration;

use leadgen::auth::key_source::words;
use leadgen::auth::secret_key::{Cell, KeyId, SecretKey};
use leadgen::store::sealed_cells::{self, COLUMNS};
use leadgen::store::secret_keys::{self, KeyState};
use secrecy::{ExposeSecret as _, SecretString};

use crate::Moments;
use crate::support::installation::{Installation, Plan};
use crate::support::{SECRET_KEY, System, TestDatabase};

/// Kills that leave a rotation unfinished.
const KILLS: u64 = 12;
/// Rows with two sealed values each.
const ROWS: usize = 1_500;

fn text(row: usize) -> String {
    format!("token number {row}")
}

fn seal_rows(database: &TestDatabase, key: &SecretKey, profile: &str) {
    for block in (0..ROWS).collect::<Vec<_>>().chunks(250) {
        let rows: Vec<String> = block
            .iter()
            .map(|row| {
                let hexadecimal = |column: &str| {
                    let cell = Cell {
                        table: "linkedin_tokens",
                        column,
                        row: profile,
                    };
                    let sealed = key.seal(cell, &SecretString::from(text(*row))).unwrap();
                    let digits: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
                    match database.system() {
                        System::Sqlite => format!("X'{digits}'"),
                        System::Postgres => format!("'\\x{digits}'"),
                    }
                };
                format!(
                    "('r{row:05}', '{profile}', 'linkedin_tokens', {}, {}, 0, '2100-01-01 00:00:00', '2020-01-01 00:00:00')",
                    hexadecimal("access_token"),
                    hexadecimal("refresh_token")
                )
            })
            .collect();
        database.execute(&format!(
            "INSERT INTO token_revocations (id, profile_id, source_table, access_token, refresh_token, attempts, \
             next_attempt_at, created_at) VALUES {}",
            rows.join(", ")
        ));
    }
}

/// Opens every value of the rows with the keys of the file; answers how many each key sealed.
fn open_all(database: &TestDatabase, file: &Path) -> Vec<(KeyId, usize)> {
    let held = SecretString::from(std::fs::read_to_string(file).unwrap());
    let ring = SecretKey::new(&held).unwrap();
    let mut counts = Vec::new();
    for (id, _) in words(&held).unwrap() {
        let mut opened = 0;
        for column in COLUMNS
            .iter()
            .filter(|column| column.table == "token_revocations")
        {
            let cells = sealed_cells::sealed_with(
                &mut database.conn(),
                *column,
                &id.prefix(),
                "",
                u32::try_from(2 * ROWS).unwrap(),
            )
            .unwrap();
            for cell in cells {
                let place = Cell {
                    table: &cell.bound_table,
                    column: column.column,
                    row: &cell.bound_row,
                };
                let row: usize = cell.id.trim_start_matches('r').parse().unwrap();
                assert_eq!(
                    ring.open(place, &cell.sealed).unwrap().expose_secret(),
                    text(row)
                );
                opened += 1;
            }
        }
        counts.push((id, opened));
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_at_any_moment_loses_nothing_and_goes_on() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut moments = Moments::seeded("kill -9 of a rotation");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leadgen.key");
    std::fs::write(&file, SECRET_KEY).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let installation = Installation::of(Plan {
        settings: vec![
            ("LEADGEN_SECRET_KEY", String::new()),
            ("LEADGEN_SECRET_KEY_FILE", file.display().to_string()),
        ],
        ..Plan::default()
    })
    .await;
    let profile = installation.connect("Killed").await;
    let database = &installation.database;
    let key = SecretKey::new(&SecretString::from(SECRET_KEY)).unwrap();
    seal_rows(database, &key, profile.as_str());

    let rotate = || installation.program(["key", "rotate"]);
    let is_unfinished = || {
        let known = secret_keys::list(&mut database.conn()).unwrap();
        known.iter().any(|key| key.state == KeyState::Retiring)
            || std::fs::read_to_string(&file).unwrap().lines().count() > 1
    };
    // How long an undisturbed one takes here.
    let begun = std::time::Instant::now();
    rotate().run().expect(0);
    let whole = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let (mut hits, mut starts) = (0, 0);
    while hits < KILLS {
        starts += 1;
        assert!(starts < 20 * KILLS, "{hits} hits in {starts} starts");
        let mut child = rotate()
            .env("LEADGEN_LOG", "error")
            .command()
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(moments.within(0..whole + 1))).await;
        // It may have ended already.
        child.kill().unwrap();
        child.wait().unwrap();
        if is_unfinished() {
            hits += 1;
        }
        let opened: usize = open_all(database, &file).iter().map(|(_, n)| n).sum();
        assert_eq!(opened, 2 * ROWS, "every value has a key at hand");
    }
    eprintln!("{hits} of {starts} rotations died in their middle");

    rotate().run().expect(0);
    assert!(!is_unfinished());
    let counts = open_all(database, &file);
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].1, 2 * ROWS);
    assert_eq!(
        database.number("SELECT count(*) FROM secret_keys WHERE state <> 'retired'"),
        1
    );
    installation.program(["audit", "verify"]).run().expect(0);
    installation.sync().await;
}
